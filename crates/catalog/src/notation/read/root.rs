//! Parses the outermost objects of a catalog in one pass over the text: schemas and settings stay
//! raw, and are scanned once.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::node::{Key, Members};

/// The outermost object.
pub(super) struct Root<'a> {
    /// Its `streams`; absent also if null.
    pub(super) streams: Option<Vec<Shape<Listed<'a>>>>,
    /// Whether `streams` is something other than a list.
    pub(super) other_streams: bool,
    /// Its other members.
    pub(super) others: Members<'a>,
}

/// An element of `streams`.
#[derive(Default)]
pub(super) struct Listed<'a> {
    /// Its `stream`; absent also if null.
    pub(super) stream: Option<Shape<Members<'a>>>,
    /// Its other members.
    pub(super) others: Members<'a>,
}

/// A value that must be an object.
pub(super) enum Shape<T> {
    /// It is an object.
    Object(T),
    /// It is null, which means absent.
    Null,
    /// It is anything else.
    Other,
}

impl<'de> Deserialize<'de> for Root<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RootVisitor;
        impl<'de> Visitor<'de> for RootVisitor {
            type Value = Root<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut streams, mut others) = (Shape::Null, Vec::new());
                while let Some(Key(name)) = map.next_key()? {
                    if name == "streams" {
                        streams = map.next_value()?;
                    } else {
                        others.push((name, map.next_value::<&RawValue>()?));
                    }
                }
                Ok(Root {
                    other_streams: matches!(streams, Shape::Other),
                    streams: match streams {
                        Shape::Object(List(streams)) => Some(streams),
                        Shape::Null | Shape::Other => None,
                    },
                    others: Members::last_wins(others),
                })
            }
        }
        deserializer.deserialize_map(RootVisitor)
    }
}

/// The value that must be a list.
struct List<'a>(Vec<Shape<Listed<'a>>>);

/// A value that can be parsed from the content of an object, or of a list.
trait Inside<'de>: Sized {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Shape<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Shape::Other)
    }

    fn of_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Shape<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::Other)
    }
}

impl<'de> Inside<'de> for List<'de> {
    fn of_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Shape<Self>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::Object(Self(items)))
    }
}

impl<'de> Inside<'de> for Listed<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Shape<Self>, A::Error> {
        let (mut stream, mut others) = (Shape::Null, Vec::new());
        while let Some(Key(name)) = map.next_key()? {
            if name == "stream" {
                stream = map.next_value()?;
            } else {
                others.push((name, map.next_value::<&RawValue>()?));
            }
        }
        Ok(Shape::Object(Self {
            stream: Some(stream).filter(|stream| !matches!(stream, Shape::Null)),
            others: Members::last_wins(others),
        }))
    }
}

impl<'de> Inside<'de> for Members<'de> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Shape<Self>, A::Error> {
        Ok(Shape::Object(Self::collect(map)?))
    }
}

impl<'de, T: Inside<'de>> Deserialize<'de> for Shape<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ShapeVisitor<T>(PhantomData<T>);
        impl<'de, T: Inside<'de>> Visitor<'de> for ShapeVisitor<T> {
            type Value = Shape<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::of_map(map)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                T::of_seq(seq)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Shape::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Shape::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Shape::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Shape::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Shape::Other)
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Shape::Other)
            }
        }
        deserializer.deserialize_any(ShapeVisitor(PhantomData))
    }
}
