//! Providers whose weights are no plain lists: text in annotations and properties, dials, maps that add up.

use gonogo::domain::fleet::RouteRef;
use gonogo::sim::patch;
use gonogo::traffic::{self, Sharing, TrafficProvider};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::reference;

fn provider(name: &str) -> &'static dyn TrafficProvider {
    traffic::provider(name).unwrap()
}

fn read(provider: &dyn TrafficProvider, object: &Value) -> gonogo::domain::workload::Route {
    provider.read(object.to_string().as_bytes()).unwrap().route
}

/// Every change goes to the object whose uid it tests first, with what it rests on.
fn write(provider: &dyn TrafficProvider, object: &Value, route: &RouteRef, weight: u32) -> Value {
    let operations = provider.set_weight(object, route, weight).unwrap();
    assert_eq!(operations[0], json!({"op": "test", "path": "/metadata/uid", "value": "u"}));
    assert_eq!(operations[1]["op"], "test");
    let mut written = object.clone();
    patch::json::apply(&mut written, &Value::Array(operations)).unwrap();
    written
}

fn refusal(provider: &dyn TrafficProvider, object: &Value, route: &RouteRef, weight: u32) -> String {
    provider.set_weight(object, route, weight).unwrap_err().to_string()
}

fn service(prefix: &str, identifier: &str, weight: &str) -> Value {
    json!({"metadata": {"name": "webapp", "namespace": "edge", "uid": "u", "annotations": {
        (format!("{prefix}set-identifier")): identifier, (format!("{prefix}aws-weight")): weight,
        (format!("{prefix}hostname")): "webapp.example.com",
    }}})
}

const NEW: &str = "external-dns.kubernetes.io/";
const OLD: &str = "external-dns.alpha.kubernetes.io/";

/// Weighted records of one name, each with its identifier and weight.
fn endpoints(weights: &[(&str, u32)]) -> Value {
    let record = |(identifier, weight): &(&str, u32), kind: &str| {
        json!({"dnsName": "webapp.example.com", "recordType": kind, "setIdentifier": identifier, "recordTTL": 60,
            "providerSpecific": [{"name": "alias", "value": "false"}, {"name": "aws/weight", "value": weight.to_string()}]})
    };
    let records: Vec<Value> = weights.iter().flat_map(|w| [record(w, "A"), record(w, "AAAA")]).collect();
    json!({"metadata": {"name": "webapp", "namespace": "edge", "uid": "u", "generation": 1}, "spec": {"endpoints": records}})
}

fn localities(weights: &[(&str, u32)]) -> Value {
    let to: serde_json::Map<String, Value> = weights.iter().map(|(n, w)| ((*n).to_owned(), json!(w))).collect();
    json!({"metadata": {"name": "webapp", "namespace": "edge", "uid": "u"}, "spec": {"trafficPolicy": {"loadBalancer":
        {"localityLbSetting": {"enabled": true, "distribute": [{"from": "*", "to": to}]}}}}})
}

fn to(object: &Value) -> Vec<(String, u64)> {
    let entry = &object["spec"]["trafficPolicy"]["loadBalancer"]["localityLbSetting"]["distribute"][0]["to"];
    entry.as_object().unwrap().iter().map(|(n, w)| (n.clone(), w.as_u64().unwrap())).collect()
}

#[test]
fn the_prefix_that_is_on_the_object_is_the_one_that_is_written() {
    for at in ["Service", "Ingress", "HTTPRoute", "GRPCRoute", "Gateway"] {
        let provider = provider(&format!("external-dns-{at}"));
        for prefix in [NEW, OLD] {
            let route = reference(provider, 0, "eu");
            let key = prefix.replace('/', "~1");
            assert_eq!(
                json!(provider.set_weight(&service(prefix, "eu", "40"), &route, 0).unwrap()),
                json!([
                    {"op": "test", "path": "/metadata/uid", "value": "u"},
                    {"op": "test", "path": format!("/metadata/annotations/{key}set-identifier"), "value": "eu"},
                    {"op": "test", "path": format!("/metadata/annotations/{key}aws-weight"), "value": "40"},
                    {"op": "replace", "path": format!("/metadata/annotations/{key}aws-weight"), "value": "0"},
                ])
            );
        }
    }
}

#[test]
fn annotations_that_would_not_drain_are_refused_in_words() {
    let provider = provider("external-dns-Service");
    let mine = reference(provider, 0, "eu");
    let mut both = service(NEW, "eu", "40");
    both["metadata"]["annotations"][format!("{OLD}aws-weight")] = json!("40");
    assert!(refusal(provider, &both, &mine, 0).contains("both prefixes"));
    let mut nameless = service(NEW, "eu", "40");
    nameless["metadata"]["annotations"][format!("{NEW}set-identifier")] = json!("");
    assert!(refusal(provider, &nameless, &mine, 0).contains("without one, a weight does nothing"));
    assert!(refusal(provider, &service(NEW, "us", "40"), &mine, 0).contains("is \"us\", not eu"));
    assert!(refusal(provider, &service(NEW, "eu", "300"), &mine, 0).contains("Route 53 refuses it"));
    assert!(refusal(provider, &service(NEW, "eu", "40"), &mine, 256).contains("from 0 to 255"));
    assert!(refusal(provider, &json!({"metadata": {"uid": "u"}}), &mine, 0).contains("has no weight"));
    assert!(refusal(provider, &service(NEW, "eu", "40"), &reference(provider, 1, "eu"), 0).contains("no rule 1"));
}

#[test]
fn records_of_one_name_and_identifier_move_together() {
    let provider = provider("DNSEndpoint");
    let object = endpoints(&[("eu", 40), ("us", 60)]);
    let written = write(provider, &object, &reference(provider, 0, "us"), 0);
    let weights: Vec<&str> =
        (0..4).map(|i| written["spec"]["endpoints"][i]["providerSpecific"][1]["value"].as_str().unwrap()).collect();
    assert_eq!(weights, ["40", "40", "0", "0"], "A and AAAA");
    let mut differ = object.clone();
    differ["spec"]["endpoints"][0]["providerSpecific"][1]["value"] = json!("7");
    assert!(refusal(provider, &differ, &reference(provider, 0, "eu"), 0).contains("they differ"));
    write(provider, &differ, &reference(provider, 0, "us"), 0);
    let mut plain = object.clone();
    plain["spec"]["endpoints"][0]["providerSpecific"] = json!([]);
    plain["spec"]["endpoints"][1]["providerSpecific"] = json!([]);
    assert!(refusal(provider, &plain, &reference(provider, 0, "eu"), 0).contains("has no aws/weight"));
    assert!(refusal(provider, &object, &reference(provider, 0, "ap"), 0).contains("no record ap"));
    assert!(refusal(provider, &object, &reference(provider, 1, "eu"), 0).contains("no rule 1"));
}

#[test]
fn a_dial_is_tested_with_all_groups_of_its_listener() {
    let provider = provider("GlobalAccelerator");
    let groups = json!([{"region": "eu-west-1"}, {"region": "us-east-1", "trafficDialPercentage": 80}]);
    let object = json!({"metadata": {"uid": "u"}, "spec": {"listeners": [{"endpointGroups": groups}]}});
    let operations = |region: &str, dial| provider.set_weight(&object, &reference(provider, 0, region), dial);
    let path = "/spec/listeners/0/endpointGroups";
    assert_eq!(
        json!(operations("eu-west-1", 0).unwrap()),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "u"},
            {"op": "test", "path": path, "value": groups},
            {"op": "add", "path": format!("{path}/0/trafficDialPercentage"), "value": 0},
        ])
    );
    assert_eq!(operations("us-east-1", 0).unwrap()[2]["op"], "replace");
    assert!(operations("us-east-1", 101).unwrap_err().to_string().contains("from 0 to 100"));
    assert!(operations("ap-south-1", 0).unwrap_err().to_string().contains("exactly one backend"));
}

#[test]
fn a_locality_is_drained_by_taking_it_out_since_istio_refuses_a_zero() {
    let provider = provider("DestinationRule");
    let object = localities(&[("ap/*", 20), ("eu/*", 40), ("us/*", 40)]);
    let drained = write(provider, &object, &reference(provider, 0, "eu/*"), 0);
    assert_eq!(to(&drained), [("ap/*".to_owned(), 33), ("us/*".to_owned(), 67)]);
    assert_eq!(read(provider, &drained).weight(0, "eu/*"), Some(0), "what is not listed gets nothing");
    let before = [("ap/*".into(), 20), ("eu/*".into(), 40), ("us/*".into(), 40)];
    let operations = provider.restore(&drained, &reference(provider, 0, "eu/*"), 40, &before).unwrap();
    let mut restored = drained.clone();
    patch::json::apply(&mut restored, &Value::Array(operations)).unwrap();
    assert_eq!(restored, object, "to the digit");
}

#[test]
fn a_distribution_that_a_drain_would_not_cover_is_refused_in_words() {
    let provider = provider("DestinationRule");
    let eu = reference(provider, 0, "eu/*");
    let setting = "/spec/trafficPolicy/loadBalancer/localityLbSetting";
    let with = |path: &str, value: Value| {
        let mut object = localities(&[("eu/*", 40), ("us/*", 60)]);
        patch::json::apply(&mut object, &json!([{"op": "add", "path": path, "value": value}])).unwrap();
        object
    };
    let two = with(&format!("{setting}/distribute/-"), json!({"from": "us/*", "to": {"us/*": 100}}));
    assert!(refusal(provider, &two, &eu, 0).contains("2 entries"));
    let off = with(&format!("{setting}/enabled"), json!(false));
    assert!(refusal(provider, &off, &eu, 0).contains("switched off"));
    let own = with("/spec/subsets", json!([{"name": "a", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}]));
    assert!(refusal(provider, &own, &eu, 0).contains("of its own"));
    let odd = with(&format!("{setting}/distribute/0/to"), json!({"eu/*": 50, "us/*": 60}));
    assert!(refusal(provider, &odd, &eu, 0).contains("add up to 100"));
    let text = with(&format!("{setting}/distribute/0/to"), json!({"eu/*": "50", "us/*": 50}));
    assert!(refusal(provider, &text, &eu, 0).contains("no whole number"));
    let alone = localities(&[("eu/*", 100)]);
    assert!(refusal(provider, &alone, &eu, 0).contains("no other locality"));
    let small = localities(&[("ap/*", 1), ("eu/*", 9), ("us/*", 90)]);
    assert!(refusal(provider, &small, &eu, 99).contains("left with nothing"));
    assert!(refusal(provider, &json!({"metadata": {"uid": "u"}}), &eu, 0).contains("no locality distribution"));
}

#[test]
fn what_weights_are_shares_of_is_said_by_each_provider() {
    let spread: Vec<&str> =
        traffic::PROVIDERS.iter().filter(|p| p.sharing() != Sharing::Rule).map(|p| p.name()).collect();
    assert_eq!(
        spread,
        [
            "external-dns-Service",
            "external-dns-Ingress",
            "external-dns-HTTPRoute",
            "external-dns-GRPCRoute",
            "external-dns-Gateway",
            "DNSEndpoint",
            "GlobalAccelerator"
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Read after write gives the weight asked for, and every other record and dial stays as it was.
    #[test]
    fn a_record_or_dial_reads_as_it_was_written(weights in prop::collection::vec(0_u32..256, 2..5), at in 0_usize..5, wanted in 0_u32..256) {
        let at = at % weights.len();
        let names = ["a", "b", "c", "d", "e"];
        let named: Vec<(&str, u32)> = names.into_iter().zip(weights.iter().copied()).collect();
        let dns = provider("DNSEndpoint");
        let written = write(dns, &endpoints(&named), &reference(dns, 0, names[at]), wanted);
        for (i, (name, weight)) in named.iter().enumerate() {
            prop_assert_eq!(read(dns, &written).weight(0, name), Some(if i == at { wanted } else { *weight }));
        }
        let annotated = provider("external-dns-Service");
        let object = service(OLD, "eu", &weights[0].to_string());
        let written = write(annotated, &object, &reference(annotated, 0, "eu"), wanted);
        prop_assert_eq!(read(annotated, &written).weight(0, "eu"), Some(wanted));
        let accelerator = provider("GlobalAccelerator");
        let group = |(name, dial): &(&str, u32)| json!({"region": name, "trafficDialPercentage": dial % 101});
        let groups: Vec<Value> = named.iter().map(group).collect();
        let object = json!({"metadata": {"name": "a", "namespace": "b", "uid": "u"}, "spec": {"listeners": [{"endpointGroups": groups}]}});
        let written = write(accelerator, &object, &reference(accelerator, 0, names[at]), wanted % 101);
        for (i, (name, dial)) in named.iter().enumerate() {
            let expected = if i == at { wanted % 101 } else { dial % 101 };
            prop_assert_eq!(read(accelerator, &written).weight(0, name), Some(expected));
        }
    }

    /// Whatever the map: it always adds up to 100, the others keep their order, and a restore is exact.
    #[test]
    fn a_distribution_always_adds_up(parts in prop::collection::vec(1_u32..40, 2..6), at in 0_usize..6) {
        let at = at % parts.len();
        let names = ["a/*", "b/*", "c/*", "d/*", "e/*", "f/*"];
        let sum: u32 = parts.iter().sum();
        let mut weights: Vec<u32> = parts.iter().map(|p| (p * 100 / sum).max(1)).collect();
        let rest: u32 = weights[1..].iter().sum();
        prop_assume!(rest < 100);
        weights[0] = 100 - rest;
        let named: Vec<(&str, u32)> = names.into_iter().zip(weights.iter().copied()).collect();
        let provider = provider("DestinationRule");
        let object = localities(&named);
        let route = reference(provider, 0, names[at]);
        let drained = write(provider, &object, &route, 0);
        prop_assert_eq!(to(&drained).iter().map(|(_, w)| w).sum::<u64>(), 100);
        prop_assert!(to(&drained).iter().all(|(n, w)| n != names[at] && *w > 0));
        let before: Vec<_> = named.iter().map(|(n, w)| ((*n).into(), *w)).collect();
        let operations = provider.restore(&drained, &route, weights[at], &before).unwrap();
        let mut restored = drained;
        patch::json::apply(&mut restored, &Value::Array(operations)).unwrap();
        prop_assert_eq!(restored, object);
    }
}
