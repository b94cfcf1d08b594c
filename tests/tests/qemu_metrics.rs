//! Metrics of real labs: all that the page tells of, and nothing else, in agreement with `status`.

use chronotap_tests::{
    lab::Lab,
    metrics::{assert_documented, sample, scrape},
    topology::{SMALL, pair},
};
use serde_json::Value;

/// One way.
const DELAY: f64 = 0.005;

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn metrics_are_those_of_the_page_and_agree_with_status() {
    for mode in ["realtime", "exact"] {
        let link = pair(&["delay = '5ms'", "rate = '100Mbit'"]);
        let lab = Lab::up(
            &format!("t-metrics-{mode}"),
            &format!("[time]\nmode = '{mode}'\n{SMALL}{link}"),
        );
        lab.sh("alice", "ping -q -c 10 -i 0.05 bob");
        lab.vmctl(&["pause"]);
        let status = lab.look();
        let address = status.lab.metrics.expect("an address");
        let text = scrape(address);
        assert!(text.contains("application/openmetrics-text; version=1.0.0"), "{text}");
        assert!(text.trim_end().ends_with("# EOF"), "{text}");
        assert_documented(&text, mode);
        assert_documented(&lab.vmctl(&["metrics"]), mode);

        let labels = [format!("mode=\"{mode}\"")];
        assert_eq!(
            sample(&text, "chronotap_lab_info", &labels.each_ref().map(String::as_str)),
            1.0
        );
        assert_eq!(sample(&text, "chronotap_lab_state", &["state=\"paused\""]), 1.0);
        let [told] = &status.links[..] else { panic!("{:?}", status.links) };
        for (direction, way) in [("forward", &told.forward), ("backward", &told.backward)] {
            let labels = [&*format!("direction=\"{direction}\"")];
            let link = |name: &str| sample(&text, &format!("chronotap_link_{name}"), &labels);
            assert_eq!(link("sent_frames_total"), way.sent_frames as f64);
            assert_eq!(link("delivered_bytes_total"), way.delivered_bytes as f64);
            assert_eq!((link("up"), link("delay_seconds")), (1.0, DELAY));
            assert_eq!(link("rate_bytes_per_second"), 12.5e6);
            let measured = link("transit_seconds_total") / link("transit_frames_total");
            assert!(measured > DELAY, "{measured}");
            assert!(link("busy_seconds_total") > 0.0);
        }
        for guest in ["guest=\"alice\"", "guest=\"bob\""] {
            let guest = |name: &str| sample(&text, &format!("chronotap_guest_{name}"), &[guest]);
            assert_eq!(guest("up"), 1.0);
            for time in ["clock_seconds", "run_seconds_total", "vcpu_seconds_total"] {
                assert!(guest(time) > 0.0, "{time}");
            }
        }
        let targets: Value =
            serde_json::from_str(&lab.vmctl(&["metrics", "targets", "-o", "json"])).expect("JSON");
        let own = serde_json::json!({
            "targets": [address.to_string()],
            "labels": {"lab": lab.name(), "mode": mode},
        });
        assert!(targets.as_array().is_some_and(|all| all.contains(&own)), "{own} in {targets}");
        lab.vmctl(&["down"]);
        lab.assert_gone();
    }
}
