//! The building blocks of the connector tables: short fields, their places, and what a
//! configuration requires in addition.

use serde::Serialize;
use serde_json::{Map, Value};

use super::build::Builder;
use super::formats::Formats;
use super::{ActorKind, databases, kafka, mongodb, s3};

/// The type of a short field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A text.
    String,
    /// A whole number, also written as text.
    Integer,
    /// A list of texts.
    Array,
}

/// The default of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    /// A text.
    Text(&'static str),
    /// A whole number.
    Integer(i64),
}

impl Scalar {
    pub(super) fn value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Integer(number) => number.into(),
        }
    }
}

/// A short field of a common connector; the serialized members are those of the listing.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// Whether every known version of the connector requires it.
    pub(crate) required: bool,
    /// Whether responses mask it.
    pub(crate) secret: bool,
    /// Its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Scalar>,
    /// Its purpose.
    pub(crate) description: &'static str,
    /// Its place: the first of these that the connector knows, or the first one. A trailing `[]`
    /// means that the place is a list and the value its only element.
    #[serde(skip)]
    pub(super) real: &'static [&'static str],
    /// Whether a response includes the default.
    #[serde(skip)]
    pub(super) shown: bool,
    /// Whether the connector's `compose` sets it.
    #[serde(skip)]
    pub(super) part: bool,
    /// The names of the variants of the object at its place.
    #[serde(skip)]
    pub(super) formats: Option<&'static Formats>,
}

impl Field {
    const fn new(
        name: &'static str,
        kind: Kind,
        real: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            required: false,
            secret: false,
            default: None,
            description,
            real,
            shown: false,
            part: false,
            formats: None,
        }
    }

    pub(super) const fn text(
        name: &'static str,
        real: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self::new(name, Kind::String, real, description)
    }

    pub(super) const fn integer(
        name: &'static str,
        real: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self::new(name, Kind::Integer, real, description)
    }

    pub(super) const fn list(
        name: &'static str,
        real: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self::new(name, Kind::Array, real, description)
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn or(mut self, default: Scalar) -> Self {
        self.default = Some(default);
        self
    }

    pub(super) const fn shown(mut self) -> Self {
        self.shown = true;
        self
    }

    pub(super) const fn part(mut self) -> Self {
        self.part = true;
        self
    }

    pub(super) const fn of(mut self, formats: &'static Formats) -> Self {
        self.formats = Some(formats);
        self
    }

    /// Its possible places.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.real.iter().map(|real| Place::parse(real))
    }
}

/// The place of a value.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its dotted path.
    pub(super) path: &'static str,
    /// Whether the value becomes the only element of a list there.
    pub(super) listed: bool,
}

impl Place {
    fn parse(real: &'static str) -> Self {
        match real.strip_suffix("[]") {
            Some(path) => Self { path, listed: true },
            None => Self {
                path: real,
                listed: false,
            },
        }
    }
}

/// An object that some versions of a connector require and that is equivalent to omitting it.
pub(super) struct Added {
    /// The member.
    pub(super) at: &'static str,
    /// The member of the object that selects its variant.
    pub(super) tag: &'static str,
    /// The variant.
    pub(super) constant: &'static str,
}

impl Added {
    pub(super) fn value(&self) -> Value {
        Value::Object(Map::from_iter([(
            self.tag.to_owned(),
            Value::from(self.constant),
        )]))
    }
}

/// Sets the parts that the caller gave, by their short names.
type Compose = fn(&Map<String, Value>, &mut Builder<'_>);

/// Moves what parts can express from a connector's configuration to their short names.
type Decompose = fn(&mut Map<String, Value>, &mut Map<String, Value>);

/// A common connector.
pub(super) struct Connector {
    pub(super) role: ActorKind,
    pub(super) type_name: &'static str,
    pub(super) fields: &'static [Field],
    pub(super) added: &'static [Added],
    pub(super) parts: Option<(Compose, Decompose)>,
}

impl Connector {
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Every common connector.
pub(super) static COMMON: [&Connector; 8] = [
    &databases::SOURCE_MYSQL,
    &databases::SOURCE_POSTGRES,
    &databases::SOURCE_MSSQL,
    &mongodb::SOURCE,
    &kafka::SOURCE,
    &s3::SOURCE,
    &databases::DESTINATION_POSTGRES,
    &s3::DESTINATION,
];

/// Returns the common connector with this name.
pub(super) fn connector(role: ActorKind, type_name: &str) -> Option<&'static Connector> {
    (COMMON.iter().copied())
        .find(|connector| connector.role == role && connector.type_name == type_name)
}
