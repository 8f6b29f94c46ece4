//! As whom a container runs: the run's files are readable by one user alone, who has to be the same
//! inside and outside.

use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use uuid::Uuid;

use super::{Docker, PATIENCE, Unavailable};

/// As whom a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunAs {
    /// As that user, who owns the files as they are.
    Owner(String),
    /// The image's own user, who becomes the owner of the files.
    Image(u32),
}

/// User ids inside are mapped to others outside, unless the container opts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    None,
    /// The engine is the user's own: its root is the user.
    Rootless,
}

impl RunAs {
    /// Hands a file over to the user inside.
    pub(super) fn own(&self, file: &Path) -> std::io::Result<()> {
        match self {
            Self::Owner(_) | Self::Image(0) => Ok(()),
            Self::Image(user) => chown(file, Some(*user), None),
        }
    }
}

impl Docker {
    /// The user that an image's containers run as. `user` is the image's setting.
    pub(super) async fn run_as(
        self: &Arc<Self>,
        reference: &str,
        id: &str,
        user: &str,
    ) -> Result<RunAs, Unavailable> {
        let own = nix::unistd::geteuid().as_raw();
        if self.mapping().await? == Mapping::Rootless {
            return Ok(RunAs::Owner("0:0".to_owned()));
        }
        if own != 0 {
            let group = nix::unistd::getegid();
            return Ok(RunAs::Owner(format!("{own}:{group}")));
        }
        let name = user.split(':').next().unwrap_or_default();
        match (name, name.parse()) {
            ("", _) => Ok(RunAs::Image(0)),
            (_, Ok(number)) => Ok(RunAs::Image(number)),
            _ => Ok(RunAs::Image(self.looked_up(reference, id, name).await?)),
        }
    }

    async fn mapping(&self) -> Result<Mapping, Unavailable> {
        let asked = self.security.get_or_try_init(|| async {
            let args = ["info", "--format", "{{json .SecurityOptions}}"];
            let answer = self.ask(&args, PATIENCE).await?;
            answer.map_err(|message| Unavailable::NoEngine { message })
        });
        let rootless = asked.await?.contains("name=rootless");
        Ok(if rootless {
            Mapping::Rootless
        } else {
            Mapping::None
        })
    }

    /// The number of a user whom the image names, by the image's own list.
    async fn looked_up(
        self: &Arc<Self>,
        reference: &str,
        id: &str,
        name: &str,
    ) -> Result<u32, Unavailable> {
        if let Some(user) = self.known_user(id) {
            return Ok(user);
        }
        let refused = |message: String| Unavailable::Refused {
            image: reference.to_owned(),
            message,
        };
        // A separate task: the caller may be dropped before the container is removed.
        let (docker, image) = (Arc::clone(self), reference.to_owned());
        let copied = tokio::spawn(async move { docker.list_of_users(&image).await });
        let copied = copied.await.map_err(|error| refused(error.to_string()))??;
        let user = user_in(&copied, name)
            .ok_or_else(|| refused(format!("it is to run as {name}, whom it does not know")))?;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(id.to_owned(), user);
        Ok(user)
    }

    fn known_user(&self, id: &str) -> Option<u32> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(id).copied()
    }

    /// An image's `/etc/passwd` as an archive, from a container that never runs and is always
    /// removed.
    async fn list_of_users(&self, reference: &str) -> Result<Vec<u8>, Unavailable> {
        let refused = |message: String| Unavailable::Refused {
            image: reference.to_owned(),
            message,
        };
        // The name is chosen here, because a create that times out may still succeed.
        let container = format!("aam-user-{}", Uuid::new_v4().simple());
        let labels = self.labels();
        let mut args = vec!["create", "--pull", "never", "--name", &container];
        for label in &labels {
            args.extend(["--label", label]);
        }
        args.extend(["--entrypoint", "/aam", "--", reference]);
        let made = self.ask(&args, PATIENCE).await;
        let from = format!("{container}:/etc/passwd");
        let copied = match made {
            Ok(Ok(_)) => {
                let args = ["cp", "--follow-link", &from, "-"];
                self.output(&args, PATIENCE).await
            }
            Ok(Err(message)) => Err(refused(message)),
            Err(error) => Err(error),
        };
        self.remove(&container).await;
        copied?.map_err(refused)
    }
}

/// A user's number in an archive that holds `/etc/passwd`: one block of header, then lines.
fn user_in(archive: &[u8], name: &str) -> Option<u32> {
    let text = String::from_utf8_lossy(archive.get(512..)?);
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut of_user = fields.filter(|fields| fields.first() == Some(&name));
    of_user.next()?.get(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_in_an_archive() {
        let mut archive = vec![0; 512];
        archive.extend(b"root:x:0:0::/root:/bin/sh\nairbyte:x:1000:1000::/airbyte:/bin/sh\n\0\0");
        assert_eq!(user_in(&archive, "airbyte"), Some(1000));
        assert_eq!(user_in(&archive, "air"), None);
        assert_eq!(user_in(b"short", "root"), None);
    }
}
