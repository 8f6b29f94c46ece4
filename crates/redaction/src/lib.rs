#![doc = include_str!("../README.md")]

mod forms;
mod secrets;
pub mod shown_url;
mod views;

use std::sync::{Arc, RwLock};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use self::forms::Patterns;
use self::views::View;

pub use secrets::pointers;

/// Replacement for a secret.
pub const MASK: &str = "**********";

tokio::task_local! {
    static CURRENT: Arc<Redactor>;
}

/// Replaces known secrets in text.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    secrets: Vec<SecretString>,
    patterns: Patterns,
}

impl Redactor {
    /// Creates a redactor for the secrets of a configuration: the values that its specification
    /// marks `airbyte_secret`.
    pub fn of(specification: &Value, configuration: &Value) -> Self {
        let redactor = Self::default();
        redactor.learn(specification, configuration);
        redactor
    }

    /// Adds the secrets of another configuration.
    pub fn learn(&self, specification: &Value, configuration: &Value) {
        let mut texts = Vec::new();
        for pointer in pointers(specification, configuration) {
            secrets::leaves(configuration.pointer(&pointer), &mut texts);
        }
        self.learn_texts(texts);
    }

    /// Adds every text of a document, for use without a specification that marks secrets.
    pub fn learn_all(&self, document: &Value) {
        let mut texts = Vec::new();
        secrets::leaves(Some(document), &mut texts);
        self.learn_texts(texts);
    }

    fn learn_texts(&self, texts: Vec<String>) {
        let mut known = self.known.write().unwrap_or_else(|e| e.into_inner());
        let count = known.secrets.len();
        for text in texts {
            let is_new = !known
                .secrets
                .iter()
                .any(|known| known.expose_secret() == text);
            if is_new && !text.trim().is_empty() && text != MASK {
                known.secrets.push(text.into());
            }
        }
        if known.secrets.len() > count {
            known.patterns = Patterns::of(&known.secrets);
        }
    }

    /// Returns the text without any known secret.
    pub fn clean(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(|e| e.into_inner());
        if known.secrets.is_empty() {
            return text.to_owned();
        }
        let mut spans = Vec::new();
        for view in View::all(text) {
            for found in known.patterns.find(view.bytes()) {
                spans.push(view.origin(found));
            }
        }
        replaced(text, spans)
    }
}

/// Replaces each span with a mask; spans may overlap.
fn replaced(text: &str, mut spans: Vec<(usize, usize)>) -> String {
    if spans.is_empty() {
        return text.to_owned();
    }
    spans.sort_unstable();
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    let mut masked_to = 0;
    for (mut start, mut end) in spans {
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        if start >= masked_to {
            clean.push_str(&text[done..start]);
            clean.push_str(MASK);
        }
        masked_to = masked_to.max(end);
        done = masked_to;
    }
    clean.push_str(&text[done..]);
    clean
}

/// Runs `future` with [`clean`] removing the redactor's secrets.
pub async fn scope<F: Future>(redactor: Arc<Redactor>, future: F) -> F::Output {
    CURRENT.scope(redactor, future).await
}

/// Removes the secrets known to this task from the text.
pub fn clean(text: String) -> String {
    CURRENT
        .try_with(|redactor| redactor.clean(&text))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests;
