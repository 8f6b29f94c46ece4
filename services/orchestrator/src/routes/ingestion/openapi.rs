//! Adds the ingestion API's paths to the document a second time, under its prefix.

use service_kit::policy::INGESTION_PREFIX;
use utoipa::Modify;
use utoipa::openapi::OpenApi;

const TAG: &str = "ingestion";

/// Adds the paths under the prefix.
pub(crate) struct UnderPrefix;

impl Modify for UnderPrefix {
    fn modify(&self, document: &mut OpenApi) {
        let mut again = Vec::new();
        for (path, item) in &document.paths.paths {
            let mut item = item.clone();
            let operations = [
                &mut item.get,
                &mut item.post,
                &mut item.patch,
                &mut item.delete,
            ];
            let mut is_ours = false;
            for operation in operations.into_iter().flatten() {
                is_ours |= (operation.tags.iter().flatten()).any(|tag| tag == TAG);
                // Ids are unique in a document.
                operation.operation_id =
                    (operation.operation_id.take()).map(|id| format!("{id}_under_prefix"));
            }
            if is_ours {
                again.push((format!("{INGESTION_PREFIX}{path}"), item));
            }
        }
        document.paths.paths.extend(again);
    }
}
