//! Schedules against examples, and against a simulation that checks every minute.

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use proptest::prelude::*;

use super::*;

fn cron_of(text: &str, zone: Option<&str>) -> Schedule {
    Schedule {
        kind: ScheduleType::Cron,
        cron: Some(text.to_owned()),
        time_zone: zone.map(str::to_owned),
        every: None,
    }
}

fn every(text: &str) -> Schedule {
    Schedule {
        kind: ScheduleType::Interval,
        every: Some(text.to_owned()),
        ..Schedule::default()
    }
}

fn quartz_of(text: &str) -> String {
    let parsed = parse(&cron_of(text, None)).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    let data = parsed.airbyte_data().unwrap();
    data["cron"]["cronExpression"].as_str().unwrap().to_owned()
}

fn refusal(schedule: &Schedule) -> (String, String) {
    let errors = parse(schedule).expect_err("refused");
    (errors[0].field.clone(), errors[0].message.clone())
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn converts_unix_cron_to_equivalent_quartz() {
    for (unix, quartz) in [
        ("0 0 * * *", "0 0 0 * * ?"),
        ("*/15 * * * *", "0 */15 * * * ?"),
        ("30 2 * * 1-5", "0 30 2 ? * MON-FRI"),
        ("0 6 * * 0", "0 0 6 ? * SUN"),
        ("0 6 * * 7", "0 0 6 ? * SUN"),
        ("0 6 * * 5-7", "0 0 6 ? * SUN,FRI,SAT"),
        ("0 6 * * fri-sun", "0 0 6 ? * SUN,FRI,SAT"),
        ("0 6 * * mon,wed", "0 0 6 ? * MON,WED"),
        ("0 6 * * */2", "0 0 6 ? * SUN,TUE,THU,SAT"),
        ("0 6 1,15 jan-mar *", "0 0 6 1,15 JAN-MAR ?"),
        ("0 6 */2 * *", "0 0 6 */2 * ?"),
        ("0 6 * * 0-6", "0 0 6 * * ?"),
        ("0 6 15 * 0-7", "0 0 6 * * ?"),
        ("@daily", "0 0 0 * * ?"),
        ("@weekly", "0 0 0 ? * SUN"),
        ("@Hourly", "0 0 * * * ?"),
        ("@yearly", "0 0 0 1 1 ?"),
        ("0 0 12 ? * 6#3 2030", "0 0 12 ? * 6#3 2030"),
        ("0 30 2 ? * mon-fri", "0 30 2 ? * MON-FRI"),
        ("0 15 4 L * ?", "0 15 4 L * ?"),
    ] {
        assert_eq!(quartz_of(unix), quartz, "{unix}");
    }
}

#[test]
fn rejects_what_quartz_cannot_express_and_states_the_reason() {
    for (text, reason) in [
        ("0 0 13 * 5", "days that are either"),
        ("0 0 */2 * 1", "only days that are both"),
        ("61 * * * *", "`61` as minute is not 0 to 59"),
        ("0 0 0 * *", "`0` as day of month is not 1 to 31"),
        (
            "0 0 * * 8",
            "`8` as day of week is not 0 to 7 or SUN to SAT",
        ),
        ("0 0 * foo *", "`foo` as month is not 1 to 12 or JAN to DEC"),
        ("0 22-2 * * *", "ends before it starts"),
        ("5/15 * * * *", "write 5-59/15"),
        ("*/0 * * * *", "step"),
        ("0 0 30 2 *", "never matches"),
        ("@reboot", "no boot event"),
        ("@often", "not one of @hourly"),
        ("0 0 * *", "has 4 fields"),
        ("", "is required"),
        ("* * * * * ?", "more often than once a minute"),
        ("0 0 0 * * *", "exactly one of"),
        ("0 0 L * *", "`L` as day of month"),
        ("+5 * * * *", "`+5` as minute"),
        ("0 0 , * *", "as day of month"),
    ] {
        let (field, message) = refusal(&cron_of(text, None));
        assert_eq!(field, "schedule.cron", "{text}");
        assert!(message.contains(reason), "{text}: {message}");
    }
    for zone in ["Etc/GMT+3", "Mars/Base", ""] {
        let (field, _) = refusal(&cron_of("0 0 * * *", Some(zone)));
        assert_eq!(field, "schedule.time_zone", "{zone}");
    }
    for text in [
        "",
        "6",
        "h",
        "0m",
        "1.5h",
        "-1h",
        "6 fortnights",
        "90s",
        "400d",
        "6h30m",
        "99999999999d",
    ] {
        assert_eq!(refusal(&every(text)).0, "schedule.every", "{text}");
    }
    let mixed = Schedule {
        every: Some("6h".into()),
        ..cron_of("0 0 * * *", None)
    };
    assert_eq!(refusal(&mixed).0, "schedule.every");
    let manual = Schedule {
        time_zone: Some("UTC".into()),
        ..Schedule::default()
    };
    assert_eq!(refusal(&manual).0, "schedule.time_zone");
}

#[test]
fn intervals_count_from_the_newest_job() {
    let parsed = parse(&every("6h")).unwrap();
    assert_eq!(parsed.airbyte_type(), "basic");
    let data = parsed.airbyte_data().unwrap();
    assert_eq!(
        data["basicSchedule"],
        json!({"units": 6, "timeUnit": "hours"})
    );
    let now = at("2026-03-01T10:00:00Z");
    let last = Some(at("2026-03-01T07:30:00Z"));
    assert_eq!(
        parsed.next_runs(now, last, 2),
        [at("2026-03-01T13:30:00Z"), at("2026-03-01T19:30:00Z")]
    );
    assert_eq!(parsed.next_runs(now, None, 1), [now]);
    let long_ago = Some(at("2020-01-01T00:00:00Z"));
    assert_eq!(parsed.next_runs(now, long_ago, 1), [now], "overdue");
    let manual = parse(&Schedule::default()).unwrap();
    assert!(manual.next_runs(now, None, 3).is_empty());
}

/// Local times of the runs between two days.
fn local_runs(text: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let parsed = parse(&cron_of(text, Some(zone))).unwrap();
    let tz: Tz = zone.parse().unwrap();
    let runs = parsed.next_runs(at(from), None, 200).into_iter();
    runs.take_while(|run| *run < at(to))
        .map(|run| run.with_timezone(&tz).format("%dT%H:%M%z").to_string())
        .collect()
}

#[test]
fn clock_changes_neither_skip_nor_repeat_a_daily_run() {
    let zone = "Europe/Berlin";
    // 2026-03-29: 02:00 is followed by 03:00.
    assert_eq!(
        local_runs(
            "30 2 * * *",
            zone,
            "2026-03-27T23:00:00Z",
            "2026-03-30T22:00:00Z"
        ),
        ["28T02:30+0100", "29T03:00+0200", "30T02:30+0200"]
    );
    // 2026-10-25: 03:00 is followed by 02:00.
    assert_eq!(
        local_runs(
            "30 2 * * *",
            zone,
            "2026-10-23T22:00:00Z",
            "2026-10-26T23:00:00Z"
        ),
        ["24T02:30+0200", "25T02:30+0200", "26T02:30+0100"]
    );
    // An hourly schedule runs every hour, whatever the local clock shows.
    let hourly = |from, to| local_runs("0 * * * *", zone, from, to).len();
    assert_eq!(hourly("2026-03-28T22:59:00Z", "2026-03-29T22:00:00Z"), 23);
    assert_eq!(hourly("2026-10-24T21:59:00Z", "2026-10-25T23:00:00Z"), 25);
    let every_half_hour = local_runs(
        "*/30 * * * *",
        "America/New_York",
        "2026-11-01T03:59:00Z",
        "2026-11-01T07:31:00Z",
    );
    assert_eq!(every_half_hour.len(), 8, "{every_half_hour:?}");
}

/// A field of Unix cron with its numbers, generated without the parser.
fn field(low: u32, high: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let all: Vec<u32> = (low..=high).collect();
    prop_oneof![
        3 => Just(("*".to_owned(), all)),
        2 => (low..=high).prop_map(|value| (value.to_string(), vec![value])),
        1 => (low..=high, low..=high, 1..=4_u32).prop_map(|(a, b, step)| {
            let (from, to) = (a.min(b), a.max(b));
            let values = (from..=to).filter(|value| (value - from).is_multiple_of(step)).collect();
            (format!("{from}-{to}/{step}"), values)
        }),
        1 => (2..=5_u32).prop_map(move |step| {
            let values = (low..=high).filter(|value| (value - low).is_multiple_of(step)).collect();
            (format!("*/{step}"), values)
        }),
        1 => (low..=high, low..=high).prop_map(|(a, b)| (format!("{a},{b}"), vec![a, b])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_next_run_is_the_first_minute_that_matches(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31),
        month in field(1, 12), weekday in field(0, 6), from_weekday in any::<bool>(),
        offset in 0..(2 * 366 * 24 * 60_i64),
    ) {
        let any = ("*".to_owned(), (0..=31).collect::<Vec<u32>>());
        let (day, weekday) = if from_weekday { (any, weekday) } else { (day, any) };
        let text = [&minute.0, &hour.0, &day.0, &month.0, &weekday.0].map(String::as_str).join(" ");
        let begin = Utc.with_ymd_and_hms(2027, 1, 1, 0, 0, 0).unwrap() + TimeDelta::minutes(offset);
        let Ok(parsed) = parse(&cron_of(&text, None)) else {
            // Days that no listed month has.
            prop_assert!(month.1.iter().all(|month| day.1.iter().all(|day| *day > 29
                && (*month == 2 || *day == 31))), "{text} is refused");
            return Ok(());
        };
        let matches = |at: &DateTime<Utc>| {
            minute.1.contains(&at.minute()) && hour.1.contains(&at.hour())
                && day.1.contains(&at.day()) && month.1.contains(&at.month())
                && weekday.1.contains(&at.weekday().num_days_from_sunday())
        };
        let runs = parsed.next_runs(begin, None, 3);
        let mut clock = begin;
        for run in runs {
            // Days that cannot match are skipped, so that rare schedules are found quickly.
            loop {
                clock += TimeDelta::minutes(1);
                let possible = day.1.contains(&clock.day()) && month.1.contains(&clock.month())
                    && weekday.1.contains(&clock.weekday().num_days_from_sunday());
                if !possible {
                    clock = clock.date_naive().and_hms_opt(23, 59, 0).unwrap().and_utc();
                    prop_assert!(clock < run, "{text}: {run} after {begin} is too early");
                    continue;
                }
                if matches(&clock) {
                    break;
                }
                prop_assert!(clock < run, "{text}: {run} does not match");
            }
            prop_assert_eq!(run, clock, "{} after {}", text, begin);
        }
    }
}
