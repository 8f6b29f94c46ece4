//! Objects: uploaded whole, in parts where they are large, with what they are in their metadata.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, MultipartUpload, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload,
};

use crate::failure::Failure;

/// What is sent at once; S3 wants at least 5 MB of a part, and takes 10,000 of them.
const PART_BYTES: u64 = 8 << 20;

/// Objects looked at, or deleted, at the same time.
const AT_ONCE: usize = 8;

/// Metadata, as Airbyte's own destination names the generation, and whose object it is.
const GENERATION: &str = "ab-generation-id";
const SYNC: &str = "ab-sync-id";
const STREAM: &str = "aam-stream";

/// Whose rows an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Namespace and name, in ASCII.
    pub(super) stream: String,
    pub(super) generation: Option<i64>,
    pub(super) sync_id: Option<i64>,
}

impl Mark {
    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        let mut set = |name: &'static str, value: String| {
            attributes.insert(
                Attribute::Metadata(name.into()),
                AttributeValue::from(value),
            );
        };
        set(STREAM, self.stream.clone());
        if let Some(generation) = self.generation {
            set(GENERATION, generation.to_string());
        }
        if let Some(sync_id) = self.sync_id {
            set(SYNC, sync_id.to_string());
        }
        attributes
    }
}

/// Uploads the file under that key. Readers do not see it until it is complete.
pub(super) async fn upload(
    store: &AmazonS3,
    key: &Path,
    file: &mut File,
    mark: &Mark,
) -> Result<(), Failure> {
    let unreadable = |e: std::io::Error| crate::spool::unwritable("a file".as_ref(), &e);
    let size = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let failed = |e| failure(&e, "s3:PutObject", key);
    if size <= PART_BYTES {
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(unreadable)?;
        let options = PutOptions {
            attributes: mark.attributes(),
            ..PutOptions::default()
        };
        let put = store.put_opts(key, PutPayload::from(content), options);
        return put.await.map(drop).map_err(failed);
    }
    let options = PutMultipartOptions {
        attributes: mark.attributes(),
        ..PutMultipartOptions::default()
    };
    let mut upload = store
        .put_multipart_opts(key, options)
        .await
        .map_err(failed)?;
    let sent = send_parts(&mut *upload, file, size).await;
    let outcome = match sent {
        Ok(()) => upload.complete().await.map(drop).map_err(failed),
        Err(Sending::Read(error)) => Err(unreadable(error)),
        Err(Sending::Put(error)) => Err(failed(error)),
    };
    if outcome.is_err() {
        // Parts that are left cost space; the failure itself matters more than that.
        let _ = upload.abort().await;
    }
    outcome
}

enum Sending {
    Read(std::io::Error),
    Put(object_store::Error),
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    file: &mut File,
    size: u64,
) -> Result<(), Sending> {
    let mut left = size;
    while left > 0 {
        let count = left.min(PART_BYTES);
        let mut part = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
        file.read_exact(&mut part).map_err(Sending::Read)?;
        upload
            .put_part(PutPayload::from(part))
            .await
            .map_err(Sending::Put)?;
        left -= count;
    }
    Ok(())
}

/// Writes a small object.
pub(super) async fn put(store: &AmazonS3, key: &Path, content: Vec<u8>) -> Result<(), Failure> {
    let put = store.put(key, PutPayload::from(content));
    put.await
        .map(drop)
        .map_err(|e| failure(&e, "s3:PutObject", key))
}

/// What an object holds.
pub(super) async fn get(store: &AmazonS3, key: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |e: object_store::Error| failure(&e, "s3:GetObject", key);
    let object = store.get(key).await.map_err(failed)?;
    Ok(object.bytes().await.map_err(failed)?.to_vec())
}

/// The keys below a folder.
pub(super) async fn list(store: &AmazonS3, folder: &Path) -> Result<Vec<Path>, Failure> {
    let listed = store.list(Some(folder)).map_ok(|object| object.location);
    listed
        .try_collect()
        .await
        .map_err(|e| failure(&e, "s3:ListBucket", folder))
}

/// Deletes objects; those that are not there are well.
pub(super) async fn delete(
    store: &AmazonS3,
    keys: impl IntoIterator<Item = &Path>,
) -> Result<(), Failure> {
    let keys = futures::stream::iter(keys).map(Ok::<_, Failure>);
    keys.try_for_each_concurrent(AT_ONCE, |key| async move {
        match store.delete(key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure(&error, "s3:DeleteObject", key)),
        }
    })
    .await
}

/// Whether there is an object of that key.
pub(super) async fn exists(store: &AmazonS3, key: &Path) -> Result<bool, Failure> {
    match store.head(key).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(failure(&error, "s3:GetObject", key)),
    }
}

/// Deletes the stream's objects under the folder that are of an older generation than the mark's, or
/// that are not in `kept` where generations are not counted. How many.
pub(super) async fn delete_older(
    store: &AmazonS3,
    folder: &Path,
    mark: &Mark,
    kept: &std::collections::HashSet<Path>,
) -> Result<usize, Failure> {
    let listed = store.list(Some(folder)).map(|object| async move {
        let key = object
            .map_err(|e| failure(&e, "s3:ListBucket", folder))?
            .location;
        if kept.contains(&key) {
            return Ok(None);
        }
        let of = mark_of(store, &key).await?;
        Ok::<_, Failure>(of.filter(|of| is_older(of, mark)).map(|_| key))
    });
    // Gathered first: what is deleted while it is listed may hide other objects.
    let old: Vec<Path> = listed
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|key| std::future::ready(Ok(key)))
        .try_collect()
        .await?;
    delete(store, &old).await?;
    Ok(old.len())
}

fn is_older(of: &Mark, than: &Mark) -> bool {
    of.stream == than.stream && (than.generation.is_none() || of.generation < than.generation)
}

/// The content of an object's metadata; none for objects of other programs.
async fn mark_of(store: &AmazonS3, key: &Path) -> Result<Option<Mark>, Failure> {
    let options = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    let attributes = match store.get_opts(key, options).await {
        Ok(object) => object.attributes,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failure(&error, "s3:GetObject", key)),
    };
    let text = |name: &'static str| {
        let value = attributes.get(&Attribute::Metadata(name.into()));
        value.map(|value| value.as_ref().to_owned())
    };
    let number = |name| text(name).and_then(|text| text.parse().ok());
    Ok(text(STREAM).map(|stream| Mark {
        stream,
        generation: number(GENERATION),
        sync_id: number(SYNC),
    }))
}

/// Tries everything that a sync requires on a test object.
pub(super) async fn probe(store: &AmazonS3, key: &Path) -> Result<(), Failure> {
    let put = store.put(key, PutPayload::from_static(b"probe"));
    put.await.map_err(|e| failure(&e, "s3:PutObject", key))?;
    let tried = async {
        let head = store.head(key).await;
        head.map_err(|e| failure(&e, "s3:GetObject", key))?;
        let listed = store.list(Some(key)).try_next().await;
        listed.map_err(|e| failure(&e, "s3:ListBucket", key))?;
        let mut parts = store
            .put_multipart(key)
            .await
            .map_err(|e| failure(&e, "s3:PutObject", key))?;
        let aborted = parts.abort().await;
        aborted.map_err(|e| failure(&e, "s3:AbortMultipartUpload", key))
    };
    let tried = tried.await;
    let deleted = store.delete(key).await;
    tried?;
    deleted.map_err(|e| failure(&e, "s3:DeleteObject", key))
}

/// A failure of the store, in words; `permission` is the one that the request needs.
fn failure(error: &object_store::Error, permission: &str, key: &Path) -> Failure {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let mut whole = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        whole = format!("{whole}: {error}");
        cause = error.source();
    }
    let contains = |code: &str| whole.contains(code);
    let refused = matches!(error, PermissionDenied { .. } | Unauthenticated { .. });
    if contains("InvalidAccessKeyId")
        || contains("SignatureDoesNotMatch")
        || contains("InvalidToken")
    {
        Failure::config("the store does not know the access key, or its secret is another")
    } else if refused {
        Failure::config(format!(
            "the access key lacks the permission {permission} for {key}"
        ))
    } else if contains("NoSuchBucket")
        || (matches!(error, NotFound { .. }) && permission == "s3:PutObject")
    {
        Failure::config("the bucket does not exist")
    } else if contains("PermanentRedirect") || contains("AuthorizationHeaderMalformed") {
        Failure::config("the bucket is in another region")
    } else {
        Failure::transient(format!("the store could not be reached or failed at {key}"))
    }
    .because(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_what_is_missing() {
        let of = |text: &str| -> Box<dyn std::error::Error + Send + Sync> { text.into() };
        let path = || "x".to_owned();
        let key = Path::from("x");
        let denied = |text: &str| object_store::Error::PermissionDenied {
            path: path(),
            source: of(text),
        };
        let missing = object_store::Error::NotFound {
            path: path(),
            source: of("<Code>NoSuchBucket</Code>"),
        };
        let generic = object_store::Error::Generic {
            store: "S3",
            source: of("connection refused"),
        };
        let cases = [
            (
                denied("AccessDenied"),
                "lacks the permission s3:PutObject for x",
            ),
            (
                denied("<Code>SignatureDoesNotMatch</Code>"),
                "its secret is another",
            ),
            (missing, "the bucket does not exist"),
            (generic, "could not be reached"),
        ];
        for (error, words) in cases {
            let message = failure(&error, "s3:PutObject", &key).message;
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn only_older_objects_of_the_same_stream_go() {
        let mark = |stream: &str, generation| Mark {
            stream: stream.to_owned(),
            generation,
            sync_id: None,
        };
        let now = mark("a", Some(3));
        assert!(is_older(&mark("a", Some(2)), &now) && is_older(&mark("a", None), &now));
        assert!(!is_older(&mark("a", Some(3)), &now) && !is_older(&mark("a_b", Some(2)), &now));
        assert!(is_older(&mark("a", Some(9)), &mark("a", None)));
    }
}
