//! `destination-s3` where no server is needed; `scripts/test_connectors.sh` has one.

use serde_json::{Value, json};

use crate::given::{Folder, configured, stream, whole};

fn config(more: Value) -> Value {
    let mut config = json!({
        "s3_bucket_name": "lake", "s3_bucket_path": "", "s3_bucket_region": "", "s3_endpoint": "http://127.0.0.1:1",
        "access_key_id": "id", "secret_access_key": "the-secret", "format": { "format_type": "JSONL" },
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let folder = Folder::new();
    let cases = [
        (json!({ "format": { "format_type": "Avro" } }), "Avro"),
        (
            json!({ "format": { "format_type": "JSONL", "flattening": "Root level flattening" } }),
            "flattening",
        ),
        (
            json!({ "format": { "format_type": "Parquet", "compression_codec": "LZO" } }),
            "LZO",
        ),
        (json!({ "s3_path_format": "${WEEK}/" }), "WEEK"),
        (json!({ "file_name_pattern": "{date}" }), "part_number"),
        (json!({ "secret_access_key": null }), "belong together"),
        (json!({ "role_arn": "arn:aws:iam::1:role/x" }), "role_arn"),
        (json!({ "s3_bucket_name": " " }), "s3_bucket_name"),
        // Nothing listens there.
        (json!({}), "could not be reached"),
    ];
    for (more, named) in cases {
        folder.file("c.json", &config(more).to_string());
        let run = folder
            .run("destination-s3", &["check", "--config=c.json"])
            .ok();
        let status = run.of("CONNECTION_STATUS", "connectionStatus").remove(0);
        assert_eq!(status["status"], "FAILED");
        assert!(
            status["message"].as_str().unwrap().contains(named),
            "{status}"
        );
        assert!(!run.text.contains("the-secret"));
    }
}

#[test]
fn a_store_that_is_away_is_a_failure_that_passes() {
    let folder = Folder::new();
    folder.file("c.json", &config(json!({})).to_string());
    let streams = [configured(
        &stream("t", json!({ "id": whole() })),
        json!({}),
    )];
    folder.file("s.json", &json!({ "streams": streams }).to_string());
    let args = ["write", "--config=c.json", "--catalog=s.json"];
    let child = folder.command("destination-s3", &args).spawn().unwrap();
    let record = crate::given::record("t", json!({ "id": 1 }));
    let lines = format!("{record}\n{}\n", crate::given::state("t", json!({})));
    let run = crate::given::finish(child, &lines);
    assert_eq!(run.code, 1);
    assert!(run.states().is_empty());
    assert_eq!(run.error()["failure_type"], "transient_error");
    assert_eq!(run.error()["stream_descriptor"]["name"], "t");
}
