//! Prometheus at the wire: PromQL over the metric model, the HTTP API, text exposition.
//!
//! Samples are made on the fly, on a grid of 15 s, for whichever range a query needs.
//!
//! ## Series
//!
//! Per version, region and service, with the labels `cluster, region, namespace, service,
//! workload, version, template_hash`:
//!
//! | name | more labels |
//! |---|---|
//! | `http_requests_total` | `code` (200, 404, 500, 503) |
//! | `http_request_duration_seconds_bucket` / `_sum` / `_count` | `le` on the buckets |
//! | `container_cpu_usage_seconds_total`, `container_memory_working_set_bytes` | `container` |
//! | `kube_pod_container_resource_requests` / `_limits` | `container`, `resource`, `unit` |
//!
//! Per region and service, without version and template_hash:
//! `kube_deployment_spec_replicas` and `kube_deployment_status_replicas`,
//! `…_updated`, `…_ready`, `…_available`, `…_unavailable` (`deployment`), `up` (`job`, `instance`), and
//! `ALERTS{alertname="HighErrorRatio",alertstate="firing",severity="page"}` while it fires.
//!
//! ## Queries for a table of regions
//!
//! One query for all regions of a service, answered by the label `region` (put
//! `version="…"` or `template_hash="…"` beside `service` to judge one version):
//!
//! ```text
//! QPS     sum by (region) (rate(http_requests_total{service="webapp"}[5m]))
//! errors  (sum by (region) (rate(http_requests_total{service="webapp",code=~"5.."}[5m]))
//!            or sum by (region) (rate(http_requests_total{service="webapp"}[5m])) * 0)
//!          / sum by (region) (rate(http_requests_total{service="webapp"}[5m]))
//! p50     histogram_quantile(0.50, sum by (region, le) (rate(http_request_duration_seconds_bucket{service="webapp"}[5m])))
//! p95     histogram_quantile(0.95, …)      p99  histogram_quantile(0.99, …)
//! CPU     sum by (region) (rate(container_cpu_usage_seconds_total{service="webapp"}[5m]))
//!          / sum by (region) (kube_pod_container_resource_requests{service="webapp",resource="cpu"})
//! memory  sum by (region) (container_memory_working_set_bytes{service="webapp"})
//!          / sum by (region) (kube_pod_container_resource_limits{service="webapp",resource="memory"})
//! ```
//!
//! For one region at a time the same with `namespace="{{namespace}}",workload="{{workload}}",
//! region="{{region}}"` as selector and without `by`:
//!
//! ```text
//! QPS     sum(rate(http_requests_total{namespace="{{namespace}}",workload="{{workload}}",region="{{region}}"}[5m]))
//! errors  (sum(rate(http_requests_total{…,code=~"5.."}[5m])) or vector(0))
//!          / sum(rate(http_requests_total{…}[5m]))
//! p99     histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{…}[5m])))
//! CPU     sum(rate(container_cpu_usage_seconds_total{…}[5m]))
//!          / sum(kube_pod_container_resource_requests{…,resource="cpu"})
//! memory  sum(container_memory_working_set_bytes{…}) / sum(kube_pod_container_resource_limits{…,resource="memory"})
//! ```
//!
//! Without traffic the ratio and the quantiles are NaN, not zero: no traffic is no evidence.

/// Aggregations `by` and `without` labels.
pub mod aggregate;
/// The paths of the HTTP API.
pub mod api;
/// Binary operators and the matching of vectors.
pub mod binary;
/// Function calls.
pub mod call;
/// Why a query was not answered.
pub mod error;
/// Evaluates a parsed expression over samples.
pub mod eval;
/// `query_exemplars`: traces of the latency histogram.
pub mod exemplars;
/// The text format of `/metrics`.
pub mod exposition;
/// What can be wrong with a Prometheus.
pub mod faults;
/// `histogram_quantile`.
pub mod histogram;
/// JSON as Prometheus writes it.
pub mod json;
/// Parameters of the HTTP API.
pub mod params;
/// Samples as they would have been scraped.
pub mod scrape;
/// The HTTP API as a `tower::Service`.
pub mod server;
/// Where samples come from.
pub mod storage;
/// What expressions evaluate to.
pub mod value;
/// Functions over the samples of one window.
pub mod window;

#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;

pub use faults::{Fault, Faults};
pub use scrape::{Now, Scrapes};
pub use server::PromServer;
