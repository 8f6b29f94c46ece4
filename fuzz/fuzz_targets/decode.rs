//! Any bytes read as a catalog: no panic, and what can be read can be written in every notation
//! and read again.

#![no_main]
#![expect(clippy::unwrap_used, reason = "a finding is a panic")]

use catalog::notation::{Document, Notation};
use catalog::{Interner, SyncCatalog};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(catalog) = SyncCatalog::parse(text) {
        let mut interner = Interner::default();
        let stored = SyncCatalog::parse_with(&catalog.to_document(), &mut interner).unwrap();
        assert_eq!(stored, catalog);
        assert_eq!(stored.fingerprint(), catalog.fingerprint());
        assert_eq!(
            stored.configured_fingerprint(),
            catalog.configured_fingerprint()
        );
        for entry in &catalog.streams {
            let columns = entry
                .stream
                .columns()
                .into_iter()
                .map(|column| vec![column]);
            let all: Vec<Vec<String>> = columns.collect();
            let narrowed = catalog::schema::narrowed(&entry.stream.json_schema, &all);
            assert_eq!(narrowed.get(), entry.stream.json_schema.get());
        }
        let _ = catalog.to_public_streams();
    }
    for from in [None, Some(Notation::Public)] {
        let Ok(document) = Document::read(text, from) else {
            continue;
        };
        for to in Notation::ALL {
            let written = document.write(to);
            let back = Document::read(&written.text, Some(to)).unwrap();
            if written.lost.is_empty() {
                assert_eq!(back.catalog, document.catalog);
            }
            let again = back.write(to);
            assert_eq!(again.lost, vec![]);
            assert_eq!(Document::read(&again.text, Some(to)).unwrap(), back);
        }
    }
});
