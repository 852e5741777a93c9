//! Bugs that are planted at the seams, to show that the rules find them: one for each kind of promise.

use bytes::Bytes;
use futures::StreamExt;
use gonogo::sim::api::ApiBody;
use serde_json::Value;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The disk says that an entry is durable before it is: rule 1.
    LyingDisk,
    /// A request is changed between its plan and the wire: rule 2.
    ChangedRequest,
    /// Holds in records are not seen: rules 3 and 7.
    BlindToHolds,
    /// A watch screen is connected as a console: rule 10.
    WritingWall,
    /// A rollout looks complete when it has only begun: rules 3 to 5.
    EarlySettled,
}

/// All of them.
pub const BUGS: [Bug; 5] =
    [Bug::LyingDisk, Bug::ChangedRequest, Bug::BlindToHolds, Bug::WritingWall, Bug::EarlySettled];

impl Bug {
    /// The rules that it breaks.
    pub fn breaks(self) -> &'static [usize] {
        match self {
            Self::LyingDisk => &[1],
            // A journal that has another request has not this one.
            Self::ChangedRequest => &[1, 2],
            Self::BlindToHolds => &[3, 7],
            Self::WritingWall => &[10],
            Self::EarlySettled => &[3, 4, 5],
        }
    }

    /// Between the program and what is seen of its requests.
    pub fn leaves(self, parts: &mut http::request::Parts, body: &mut Bytes) {
        let patch = parts.method == http::Method::PATCH && parts.uri.path().contains("/deployments/");
        let rehearsal = parts.uri.query().is_some_and(|q| q.contains("dryRun"));
        if self == Self::ChangedRequest && patch && !rehearsal {
            let text = String::from_utf8_lossy(body).replace("kubernetes.io~1change-cause", "kubernetes.io~1changed");
            *body = text.into();
        }
    }

    /// Whether it changes what comes back.
    pub fn changes_answers(self) -> bool {
        matches!(self, Self::BlindToHolds | Self::EarlySettled)
    }

    /// What comes back.
    pub fn comes(self, body: ApiBody) -> ApiBody {
        match body {
            ApiBody::Whole(Some(whole)) => ApiBody::Whole(Some(self.changed(&whole))),
            // Chunks of a watch are whole lines.
            ApiBody::Stream(chunks) => ApiBody::stream(chunks.map(move |chunk| {
                chunk.map(|chunk| {
                    let lines = chunk.split_inclusive(|b| *b == b'\n');
                    let changed = lines.flat_map(|line| {
                        let mut line = self.changed(line).to_vec();
                        line.push(b'\n');
                        line
                    });
                    changed.collect::<Vec<u8>>().into()
                })
            })),
            other => other,
        }
    }

    fn changed(self, bytes: &[u8]) -> Bytes {
        let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
            return Bytes::copy_from_slice(bytes);
        };
        match value.get_mut("items").and_then(Value::as_array_mut) {
            Some(items) => items.iter_mut().for_each(|item| self.change(item)),
            None => match value.get_mut("object") {
                Some(object) => self.change(object),
                None => self.change(&mut value),
            },
        }
        value.to_string().into()
    }

    fn change(self, object: &mut Value) {
        if self == Self::BlindToHolds
            && let Some(data) = object.get_mut("data").and_then(Value::as_object_mut)
        {
            data.retain(|key, _| !key.ends_with(".hold"));
        }
        let wanted = object.pointer("/spec/replicas").cloned();
        let generation = object.pointer("/metadata/generation").cloned();
        if self == Self::EarlySettled
            && object.pointer("/spec/template").is_some()
            && let (Some(wanted), Some(status)) = (wanted, object.get_mut("status").and_then(Value::as_object_mut))
        {
            for key in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
                status.insert(key.to_owned(), wanted.clone());
            }
            status.remove("unavailableReplicas");
            if let Some(generation) = generation {
                status.insert("observedGeneration".to_owned(), generation);
            }
            for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
                if condition["type"] == "Progressing" {
                    condition["status"] = "True".into();
                    condition["reason"] = "NewReplicaSetAvailable".into();
                }
            }
        }
    }
}
