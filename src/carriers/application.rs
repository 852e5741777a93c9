//! The Application that delivers a region's workload carries its versions: what it follows is what runs.

use serde_json::Value;

use super::{Carried, Carrier, CarrierRead, Order, Way};
use crate::delivery::{Back, Beside, DeliveryTool, Wanted, tool};
use crate::domain::carrier::CarrierRef;
use crate::domain::change::{Change, ObjectRef, PatchKind};
use crate::domain::fleet::{DeliveryRef, Region};
use crate::domain::id::Text;
use crate::kinds::Still;

/// What a record calls the field that was replaced begins so.
const FIELD: &str = "application ";

/// Applications of Argo CD.
pub struct Application;

/// What delivers a region, with its tool.
fn delivered(region: &Region) -> Option<(&DeliveryRef, &'static dyn DeliveryTool)> {
    let delivery = region.delivery.as_ref()?;
    Some((delivery, tool(&delivery.kind)?))
}

/// An object beside it, in its cluster.
fn object(delivery: &DeliveryRef, beside: Beside) -> ObjectRef {
    ObjectRef { cluster: delivery.cluster, api: beside.api, namespace: beside.namespace, name: beside.name }
}

impl Carrier for Application {
    fn name(&self) -> &'static str {
        "Application"
    }

    fn carries(&self, wanted: &CarrierRef) -> bool {
        matches!(wanted, CarrierRef::Application(_))
    }

    fn reads(&self, region: &Region) -> Option<CarrierRead> {
        let (delivery, tool) = delivered(region)?;
        Some(CarrierRead::Object(ObjectRef {
            cluster: delivery.cluster,
            api: tool.api(),
            namespace: delivery.namespace.clone(),
            name: delivery.name.clone(),
        }))
    }

    fn besides(&self, region: &Region, read: &Value) -> Vec<ObjectRef> {
        let Some((delivery, tool)) = delivered(region) else { return Vec::new() };
        let both = [tool.generator(read), tool.calendar(read)];
        both.into_iter().flatten().map(|beside| object(delivery, beside)).collect()
    }

    fn carry(&self, order: &Order<'_>) -> Result<Carried, Still> {
        let region = order.region;
        let unknown = |why: &str| Still {
            code: "carrier",
            why: why.to_owned(),
            hint: "name it in `[service.NAME.delivery]`".to_owned(),
        };
        let (delivery, tool) = delivered(region).ok_or_else(|| unknown("names no Application that delivers it"))?;
        let Some(CarrierRef::Application(means)) = &region.carrier else {
            return Err(unknown("is not carried by an Application"));
        };
        let read = order.read.ok_or_else(|| unknown("has an Application that was not read"))?;
        let beside = |of: Option<Beside>| of.map(|beside| object(delivery, beside));
        let generator = beside(tool.generator(read)).and_then(|o| order.besides.get(&o));
        let wanted = Wanted {
            version: order.to,
            image: order.image,
            repository: order.image.map(|i| &*i.repository),
            generator,
            by: order.by,
        };
        let mut warnings = Vec::new();
        if let Some(calendar) = beside(tool.calendar(read)) {
            let said = match order.besides.get(&calendar) {
                Some(project) => tool.shut(read, project, order.now),
                None => Err("it was not read".to_owned()),
            };
            match (said, order.way) {
                (Ok(None), _) => {}
                (Ok(Some(why)), Way::Forward) => {
                    return Err(Still {
                        code: "window",
                        why: format!("is brought by an Application that may not sync now: {why}"),
                        hint: format!("wait, or change the windows of {calendar}"),
                    });
                }
                (Ok(Some(why)), Way::Back(_)) => warnings.push(format!("may wait before it goes back: {why}")),
                (Err(why), _) => warnings
                    .push(format!("may have to wait: whether a sync window of {calendar} shuts is not known ({why})")),
            }
        }
        let writing = match order.way {
            Way::Forward => tool.bring(read, means, &wanted)?,
            Way::Back(remembered) => {
                let was = remembered.iter().find(|(name, _)| name.starts_with(FIELD)).map(|(_, was)| &**was);
                tool.back(read, means, &Back { wanted, was })?
            }
        };
        let Some(writing) = writing else {
            return Err(Still {
                code: "nothing-to-do",
                why: format!("has an Application that names {} already", order.to),
                hint: "what it waits for, its own status says: d on the region shows it".to_owned(),
            });
        };
        let on = match writing.on {
            Some(beside) => object(delivery, beside),
            None => ObjectRef {
                cluster: delivery.cluster,
                api: tool.api(),
                namespace: delivery.namespace.clone(),
                name: delivery.name.clone(),
            },
        };
        warnings.extend(writing.notes.iter().map(|note: &Text| format!("({}): {note}", on.name)));
        Ok(Carried {
            proposed: false,
            change: Change::Patch {
                object: on,
                kind: PatchKind::Json,
                subresource: None,
                body: Value::Array(writing.operations),
            },
            diff: writing.diff,
            remembers: writing.was.into_iter().collect(),
            warnings,
        })
    }
}
