//! Reading CSV and JSONL files.

use std::io::Write as _;

use serde_json::{Value, json};

use super::{discover, read, types};
use crate::given::{Folder, Run, configured};

fn incremental(stream: &Value) -> Value {
    configured(stream, json!({ "sync_mode": "incremental" }))
}

/// The records without the columns that say where they are from.
fn data(run: &Run) -> Vec<Value> {
    let mut records = run.records();
    for record in &mut records {
        let record = record.as_object_mut().unwrap();
        assert!(record.remove("_ab_source_file_url").is_some());
        assert!(record.remove("_ab_source_file_last_modified").is_some());
    }
    records
}

fn named(types: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, kind): &(&str, &str)| ((*name).to_owned(), (*kind).to_owned());
    types.iter().map(owned).collect()
}

#[test]
fn a_csv_file_gets_the_types_that_all_its_values_have() {
    let folder = Folder::new();
    folder.file(
        "t.csv",
        "id,big,price,mixed,zip,flag,day,at,zoned,clock,name,empty\n\
         1,9223372036854775808,1.50,1,00501,true,2024-02-29,2024-02-29 10:00:00,2024-02-29T10:00:00Z,10:00:00,\"a, \"\"b\"\"\n\u{e9}\",\n\
         -2,5,12345678901234567890.123456789012345678,x,10115,FALSE,,,,,,\n",
    );
    let config = json!({ "path": "t.csv" });
    let streams = discover(&folder, &config);
    assert_eq!(streams[0]["name"], "t");
    assert_eq!(
        types(&streams[0]),
        named(&[
            ("id", "integer"),
            ("big", "big_integer"),
            ("price", "number"),
            ("mixed", "string"),
            ("zip", "string"),
            ("flag", "boolean"),
            ("day", "date"),
            ("at", "timestamp_without_timezone"),
            ("zoned", "timestamp_with_timezone"),
            ("clock", "time_without_timezone"),
            ("name", "string"),
            ("empty", "string"),
        ])
    );
    let run = read(
        &folder,
        &config,
        &[configured(&streams[0], json!({}))],
        None,
    )
    .ok();
    assert!(run.text.contains("12345678901234567890.123456789012345678"));
    let first = &data(&run)[0];
    let expected = json!({
        "id": 1, "big": "9223372036854775808", "price": 1.5, "mixed": "1", "zip": "00501", "flag": true,
        "day": "2024-02-29", "at": "2024-02-29T10:00:00", "zoned": "2024-02-29T10:00:00Z",
        "clock": "10:00:00", "name": "a, \"b\"\né", "empty": null,
    });
    assert_eq!(*first, expected);
    assert_eq!(run.records()[0]["_ab_source_file_url"], "t.csv");
    assert_eq!(run.statuses().last().unwrap(), "t COMPLETE");
}

#[test]
fn a_value_that_does_not_fit_its_column_becomes_null_and_is_reported() {
    let folder = Folder::new();
    folder.file("t.csv", "id,day\n1,2024-01-01\n");
    let config = json!({ "path": "t.csv" });
    let streams = discover(&folder, &config);
    folder.file("t.csv", "id,day\n1.5,2024-01-32\n");
    let run = read(
        &folder,
        &config,
        &[configured(&streams[0], json!({}))],
        None,
    )
    .ok();
    assert_eq!(data(&run), [json!({ "id": null, "day": null })]);
    let change = |field: &str| json!({ "field": field, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR" });
    let meta = run.of("RECORD", "record")[0]["meta"].clone();
    assert_eq!(meta["changes"], json!([change("id"), change("day")]));
    // It now contains what a discovery returns.
    let wider = discover(&folder, &config);
    assert_eq!(
        types(&wider[0]),
        named(&[("id", "number"), ("day", "string")])
    );
}

#[test]
fn a_csv_file_is_read_as_its_options_say() {
    let folder = Folder::new();
    // Windows-1252: é is one byte.
    std::fs::write(folder.path("t.csv"), b"1;caf\xe9;'a;b';-\n2;x;y;z\n").unwrap();
    let config = json!({
        "path": "t.csv", "delimiter": ";", "quote": "'", "encoding": "windows-1252", "header": false,
        "null_values": ["-"], "stream_name": "options",
    });
    let streams = discover(&folder, &config);
    assert_eq!(streams[0]["name"], "options");
    let run = read(
        &folder,
        &config,
        &[configured(&streams[0], json!({}))],
        None,
    )
    .ok();
    let rows = [
        json!({ "f0": 1, "f1": "café", "f2": "a;b", "f3": null }),
        json!({ "f0": 2, "f1": "x", "f2": "y", "f3": "z" }),
    ];
    assert_eq!(data(&run), rows);
    let config =
        json!({ "path": "t.csv", "delimiter": ";", "header": false, "infer_types": false });
    let run = folder.run("source-file", &["spec"]).ok();
    assert!(run.text.contains("infer_types"));
    folder.file("config.json", &config.to_string());
    let run = folder.run("source-file", &["discover", "--config=config.json"]);
    assert_eq!(run.code, 1, "bytes that are no UTF-8 are not guessed at");
}

#[test]
fn json_lines_keep_their_values() {
    let folder = Folder::new();
    folder.file(
        "t.jsonl",
        "\u{feff}{\"id\":1,\"n\":1,\"big\":18446744073709551616,\"o\":{\"a\":[1.50]},\"mixed\":1,\"s\":\"x\"}\n\n\
         {\"id\":2,\"n\":1.5,\"mixed\":\"x\",\"late\":[null],\"s\":null}\n",
    );
    let config = json!({ "path": "." });
    folder.file("notes.txt", "not data");
    let streams = discover(&folder, &config);
    // The configuration itself is a file of JSON too.
    let stream = streams.iter().find(|s| s["name"] == "t").unwrap();
    assert_eq!(
        types(stream),
        named(&[
            ("id", "integer"),
            ("n", "number"),
            ("big", "big_integer"),
            ("o", "object"),
            ("mixed", "string"),
            ("s", "string"),
            ("late", "array"),
        ])
    );
    let run = read(
        &folder,
        &json!({ "path": "t.jsonl" }),
        &[configured(stream, json!({}))],
        None,
    )
    .ok();
    assert_eq!(
        data(&run),
        [
            json!({ "id": 1, "n": 1, "big": "18446744073709551616", "o": { "a": [1.5] }, "mixed": 1, "s": "x" }),
            json!({ "id": 2, "n": 1.5, "mixed": "x", "late": [null], "s": null }),
        ]
    );
    assert!(run.text.contains("[1.50]"));
}

#[test]
fn malformed_lines_are_reported_with_their_file_and_number() {
    let folder = Folder::new();
    let cases = [
        (
            "t.csv",
            "a,b\n1,2\n3\n",
            "t.csv, line 3: it has 1 fields where the header has 2",
        ),
        (
            "t.csv",
            "a,b\n1,2\n3,\"4\n5,6\n",
            "t.csv, line 3: a quote is opened and never closed",
        ),
        (
            "t.jsonl",
            "{\"a\":1}\n\n{\"a\":",
            "t.jsonl, line 3: it is not valid JSON",
        ),
        (
            "t.jsonl",
            "{\"a\":1}\n[1]\n",
            "t.jsonl, line 2: it is not a JSON object",
        ),
    ];
    for (name, text, message) in cases {
        let whole = if name == "t.csv" {
            "a,b\n1,2\n"
        } else {
            "{\"a\":1}\n"
        };
        folder.file(name, whole);
        let config = json!({ "path": name });
        let streams = discover(&folder, &config);
        folder.file(name, text);
        let run = read(
            &folder,
            &config,
            &[configured(&streams[0], json!({}))],
            None,
        );
        assert_eq!(run.code, 1);
        let told = run.error()["message"].as_str().unwrap().to_owned();
        assert!(told.contains(message), "{told}");
        assert_eq!(run.statuses().last().unwrap(), "t INCOMPLETE");
    }
}

#[test]
fn a_glob_is_one_stream_of_all_its_files_and_their_headers() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("orders/2024")).unwrap();
    folder.file("orders/a.csv", "id,name\n1,x\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"id,title\n2,y\n").unwrap();
    std::fs::write(
        folder.path("orders/2024/b.csv.gz"),
        packed.finish().unwrap(),
    )
    .unwrap();
    let config = json!({ "path": "orders/**/*.csv*" });
    let streams = discover(&folder, &config);
    assert_eq!(streams.len(), 1);
    assert_eq!(streams[0]["name"], "orders");
    let mut columns = types(&streams[0]);
    columns.sort();
    assert_eq!(
        columns,
        named(&[("id", "integer"), ("name", "string"), ("title", "string")])
    );
    let run = read(
        &folder,
        &config,
        &[configured(&streams[0], json!({}))],
        None,
    )
    .ok();
    let mut rows = data(&run);
    rows.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(
        rows,
        [
            json!({ "id": 1, "name": "x" }),
            json!({ "id": 2, "title": "y" })
        ]
    );
    let each = json!({ "path": "orders", "streams": [
        { "name": "plain", "glob": "*.csv" }, { "name": "packed", "glob": "**/*.csv.gz" },
    ] });
    let names: Vec<Value> = discover(&folder, &each)
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    assert_eq!(names, ["plain", "packed"]);
}

#[test]
fn incremental_reads_read_new_and_changed_files() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("in")).unwrap();
    folder.file("in/a.csv", "id\n1\n");
    let config = json!({ "path": "in/*.csv" });
    let stream = incremental(&discover(&folder, &config)[0]);
    let first = read(&folder, &config, std::slice::from_ref(&stream), None).ok();
    assert_eq!(data(&first), [json!({ "id": 1 })]);
    let state = first.states().pop().unwrap();
    let again = read(
        &folder,
        &config,
        std::slice::from_ref(&stream),
        Some(&state),
    )
    .ok();
    assert!(again.records().is_empty());
    folder.file("in/b.csv", "id\n2\n");
    let second = read(
        &folder,
        &config,
        std::slice::from_ref(&stream),
        Some(&state),
    )
    .ok();
    assert_eq!(data(&second), [json!({ "id": 2 })]);
    let state = second.states().pop().unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    folder.file("in/a.csv", "id\n1\n3\n");
    let file = std::fs::File::options()
        .append(true)
        .open(folder.path("in/a.csv"))
        .unwrap();
    file.set_modified(later).unwrap();
    let third = read(&folder, &config, &[stream], Some(&state)).ok();
    assert_eq!(data(&third), [json!({ "id": 1 }), json!({ "id": 3 })]);
}

#[test]
fn an_interrupted_read_resumes_at_its_state() {
    for (name, header) in [("t.csv", "id,v\n"), ("t.jsonl", ""), ("t.csv.gz", "id,v\n")] {
        let folder = Folder::new();
        let line = |id: u64| match name {
            "t.jsonl" => format!("{{\"id\":{id},\"v\":\"x\\ny\"}}\n"),
            _ => format!("{id},\"x\ny\"\n"),
        };
        let text: String = std::iter::once(header.to_owned())
            .chain((0..25_000).map(line))
            .collect();
        let bytes = if name.ends_with(".gz") {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        } else {
            text.into_bytes()
        };
        std::fs::write(folder.path(name), bytes).unwrap();
        let config = json!({ "path": name });
        let stream = configured(&discover(&folder, &config)[0], json!({}));
        let whole = read(&folder, &config, std::slice::from_ref(&stream), None).ok();
        assert_eq!(whole.records().len(), 25_000);
        let states = whole.states();
        assert_eq!(states.len(), 3, "{name}");
        for (at, left) in [(0, 15_000), (1, 5_000), (2, 0)] {
            let rest = read(
                &folder,
                &config,
                std::slice::from_ref(&stream),
                Some(&states[at]),
            )
            .ok();
            let records = rest.records();
            assert_eq!(records.len(), left, "{name}");
            let ids = records.iter().map(|record| record["id"].as_u64().unwrap());
            assert!(ids.eq((25_000 - left as u64)..25_000), "{name}");
        }
    }
}

#[test]
fn only_what_is_under_the_data_roots_is_read() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("data/in")).unwrap();
    folder.file("secret.csv", "id\n1\n");
    std::os::unix::fs::symlink(folder.path("secret.csv"), folder.path("data/in/link.csv")).unwrap();
    std::os::unix::fs::symlink(folder.path(""), folder.path("data/out")).unwrap();
    for path in [
        "../secret.csv",
        "../*.csv",
        "in/*.csv",
        "in/link.csv",
        "out/*.csv",
        "in",
        "*/../../*.csv",
    ] {
        folder.file("config.json", &json!({ "path": path }).to_string());
        let mut command = folder.command("source-file", &["discover", "--config=config.json"]);
        command.env("AAM_DATA_ROOTS", folder.path("data"));
        let run = crate::given::finish(command.spawn().unwrap(), "");
        assert_eq!(run.code, 1, "{path}");
        assert!(run.of("CATALOG", "catalog").is_empty(), "{path}");
    }
}

#[test]
fn a_full_refresh_without_files_fails() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("in")).unwrap();
    folder.file("in/a.csv", "id\n1\n");
    let config = json!({ "path": "in/*.csv" });
    let stream = discover(&folder, &config).remove(0);
    std::fs::remove_file(folder.path("in/a.csv")).unwrap();
    let run = read(&folder, &config, &[configured(&stream, json!({}))], None);
    assert_eq!(run.code, 1);
    read(&folder, &config, &[incremental(&stream)], None).ok();
}

#[test]
fn a_stream_has_ten_thousand_columns_at_most() {
    let folder = Folder::new();
    let jsonl = |count: usize| {
        let members: Vec<String> = (0..count).map(|at| format!("\"c{at}\":1")).collect();
        format!("{{\"id\":1}}\n{{{}}}\n", members.join(","))
    };
    let csv = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
        format!("{}\n", names.join(","))
    };
    folder.file("most.jsonl", &jsonl(9_999));
    folder.file("more.jsonl", &jsonl(10_000));
    folder.file("most.csv", &csv(10_000));
    folder.file("more.csv", &csv(10_001));
    for name in ["most.jsonl", "most.csv"] {
        let streams = discover(&folder, &json!({ "path": name }));
        let columns = streams[0]["json_schema"]["properties"].as_object().unwrap();
        // Beside the file's own two.
        let file = ["_ab_source_file_url", "_ab_source_file_last_modified"];
        let own = columns.keys().filter(|name| !file.contains(&name.as_str()));
        assert_eq!(own.count(), 10_000, "{name}");
    }
    for (name, place) in [
        ("more.jsonl", "more.jsonl, line 2"),
        ("more.csv", "more.csv, line 1"),
    ] {
        folder.file("config.json", &json!({ "path": name }).to_string());
        let run = folder.run("source-file", &["discover", "--config=config.json"]);
        assert_eq!(run.code, 1, "{name}");
        let message = run.error()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(place), "{message}");
        assert!(message.contains("10000"), "{message}");
    }
}
