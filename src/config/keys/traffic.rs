//! Sections on traffic: what steers it, what a region can serve, and what it has normally.

use super::{NONE, REQUIRED, Section, Shape, key};

/// How traffic reaches the regions.
pub static ROUTE: Section = Section {
    path: "service.NAME.route",
    about: "The route whose weights steer traffic; `{{service}} {{region}} {{ring}} {{cluster}}` are replaced.",
    keys: &[
        key("provider", Shape::Text, "`HTTPRoute`", "Traffic provider: one of docs/traffic.md."),
        key("cluster", Shape::Text, REQUIRED, "Cluster that holds the route; `{{cluster}}` is each region's own."),
        key(
            "steering",
            Shape::Text,
            "required for `command`",
            "With provider `command`: the `[steering.NAME]` that it goes by. It needs no `cluster`.",
        ),
        key("namespace", Shape::Text, "`{{service}}`", "Namespace of the route."),
        key("name", Shape::Text, "`{{service}}`", "Name of the route."),
        key("rule", Shape::Whole(0), "0", "Which rule, counted from 0."),
        key(
            "backend",
            Shape::Text,
            "`{{service}}-{{region}}`",
            "What names the region there: a backendRef, host, locality or set identifier (docs/traffic.md).",
        ),
        key("backends", Shape::TextsByName, NONE, "Backends by region; regions that are not listed have no route."),
        key("except", Shape::Texts, NONE, "Regions that this route does not reach, e.g. staging."),
        key(
            "drained_below",
            Shape::Whole(1),
            "1 % of the region's capacity, else 1",
            "Queries per second below which a region at weight 0 counts as drained; above it, it is draining.",
        ),
        key(
            "drain_steps",
            Shape::PercentsDown,
            "`[0]`: at once",
            "Percents of its weight that a region has on its way out of traffic, e.g. `[50, 10, 0]`; a restore goes back the same way.",
        ),
        key(
            "dwell",
            Shape::Duration,
            "`\"2m\"`",
            "Time between two steps of a drain or restore, after the first was seen.",
        ),
    ],
};

/// What a region can serve.
pub static CAPACITY: Section = Section {
    path: "service.NAME.region.REGION.capacity",
    about: "What the region can serve, and when that was measured.",
    keys: &[
        key("qps", Shape::Number, REQUIRED, "Queries per second."),
        key("measured", Shape::Day, NONE, "Day of the measurement; older than 90 days is a finding of `check --plan`."),
    ],
};

/// The traffic that a region has normally.
pub static TRAFFIC: Section = Section {
    path: "service.NAME.region.REGION.traffic",
    about: "The traffic that the region has normally. `gonogo check --plan` judges the plan by it where nothing is measured; no gate does.",
    keys: &[
        key("qps", Shape::Number, NONE, "Queries per second; 0: no users reach it."),
        key("share", Shape::Text, NONE, "Its share of the service's traffic, e.g. `25%`."),
        key(
            "mix",
            Shape::TextsByName,
            NONE,
            "Shares of its kinds of traffic, e.g. `{ web = \"60%\", mobile = \"40%\" }`: whether a canary is like the rest.",
        ),
    ],
};
