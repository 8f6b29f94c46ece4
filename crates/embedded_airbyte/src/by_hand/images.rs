//! Connectors that are Docker images, called by the image's name.

use std::io::Write as _;

use uuid::Uuid;

use super::{ConnectorInfo, Connectors, Failed, Made, not_ready};
use crate::connector::docker::is_reference;
use crate::definitions::{Definition, Launch};
use crate::options::ConnectorKind;

/// The connector in an image of that name; nothing where it is none: those have a repository or a
/// tag.
pub(super) fn definition(name: &str) -> Option<Definition> {
    if !is_reference(name) || !name.contains(['/', ':']) {
        return None;
    }
    let (repository, tag) = match name.rsplit_once(':') {
        // Behind the port of a registry there is no tag.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    };
    let connector = repository.rsplit('/').next().unwrap_or(repository);
    Some(Definition {
        id: Uuid::nil(),
        kind: match connector.starts_with("destination-") {
            true => ConnectorKind::Destination,
            false => ConnectorKind::Source,
        },
        name: connector.to_owned(),
        docker_repository: repository.to_owned(),
        version: tag.to_owned(),
        supports_refreshes: false,
        launch: Launch::Docker(name.to_owned()),
        custom: None,
    })
}

impl Connectors {
    /// Pulls an image and notes it.
    pub(super) async fn install_image(
        &self,
        definition: &Definition,
        image: &str,
        report: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Failed> {
        let pulled = self.runner.docker.pull(image, report).await;
        pulled.map_err(|error| not_ready(definition, &error.into()))?;
        if self.noted().iter().any(|noted| noted == image) {
            return Ok(());
        }
        self.note(image).map_err(|source| Failed::Run {
            connector: definition.connector().to_owned(),
            source,
        })
    }

    fn note(&self, image: &str) -> std::io::Result<()> {
        if let Some(folder) = self.images.parent() {
            crate::private_directory(folder)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.images)?;
        writeln!(file, "{image}")
    }

    fn noted(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.images).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The images that were installed manually.
    pub(super) async fn images(&self) -> Vec<ConnectorInfo> {
        let mut list = Vec::new();
        for image in self.noted() {
            let Some(definition) = definition(&image) else {
                continue;
            };
            list.push(ConnectorInfo {
                installed: self.runner.docker.image(&image).await.is_ok(),
                connector: image,
                name: definition.name,
                kind: definition.kind,
                definition_id: None,
                version: definition.version,
                made: Made::Image,
            });
        }
        list
    }
}
