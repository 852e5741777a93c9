//! The keys of what is told to other systems, by a command or over HTTP.

use super::{Key, NONE, REQUIRED, Section, Shape, key};
use crate::domain::deed::Method;

pub(super) const PIPELINE_KEY: Key = key(
    "pipeline",
    Shape::Text,
    NONE,
    "Another system brings its versions: a `[pipeline.NAME]`. One with `state` also says how it stands.",
);
pub(super) const OWN_PIPELINE: Key = key("pipeline", Shape::Text, "the service's", "The pipeline of this region.");

pub(super) const FLAG_OFF: Key = key(
    "flag_off",
    Shape::Table(&FLAG),
    NONE,
    "What switches a flag of it off in an incident (`O`, `gonogo flag-off`): a command or a request.",
);

/// What switches a flag off.
pub static FLAG: Section = Section {
    path: "service.NAME.flag_off",
    about: "What switches a flag off: one command or one HTTP request. Where it names none of `{{ring}} {{region}} {{cluster}} {{namespace}}`, it is sent once for the service. Keys as in `[pipeline.NAME.VERB]`.",
    keys: DEED.keys,
};

const ENV: Key = key(
    "env",
    Shape::Texts,
    "`[\"PATH\", \"HOME\"]`",
    "Variables that commands get of the environment; they get no others. Secrets belong here, and never into `run`.",
);
const ENDPOINT: Key = key("endpoint", Shape::Text, NONE, "The `[endpoint.NAME]` that is called.");

/// A pipeline of another system.
pub static PIPELINE: Section = Section {
    path: "pipeline.NAME",
    about: "A delivery pipeline of another system (Spinnaker, a CD of your own): what each verb is there. A verb that is left out is refused in its regions.",
    keys: &[
        key(
            "state",
            Shape::Table(&DEED),
            "the workload is read in its cluster",
            "Asks how it stands; the answer is JSON as in docs/pipelines.md.",
        ),
        key("every", Shape::Duration, "`15s`", "Between two such questions, from 5s to 30s."),
        key("promote", Shape::Table(&DEED), NONE, "Brings `{{version}}`."),
        key("hold", Shape::Table(&DEED), NONE, "Stops what is in flight."),
        key("resume", Shape::Table(&DEED), NONE, "Lets it go on."),
        key("rollback", Shape::Table(&DEED), NONE, "Brings `{{version}}` back, which ran before."),
        key("deadline", Shape::Duration, "`1h`", "How long a rollout may take before it counts as diverged."),
        ENV,
        ENDPOINT,
    ],
};

/// One thing that another system is told or asked.
pub static DEED: Section = Section {
    path: "pipeline.NAME.VERB",
    about: "One command (`run`) or one HTTP request (`path`). `{{service}} {{ring}} {{region}} {{cluster}} {{namespace}}` are replaced, and where a version is meant `{{version}}` (what is to run) and `{{from}}` (what runs).",
    keys: &[
        key(
            "run",
            Shape::Texts,
            "needed unless `path` is given",
            "The program and its arguments, word by word: no shell is between.",
        ),
        key("timeout", Shape::Duration, "`30s`", "How long the command may take, from 1s to 90s."),
        key("env", Shape::Texts, "the table's", "Variables that the command gets of the environment."),
        key("path", Shape::Text, "needed unless `run` is given", "Path below the endpoint's base."),
        key("endpoint", Shape::Text, "the table's", "The `[endpoint.NAME]` that is called."),
        key("method", Shape::Word(Method::NAMES), "`POST`; to ask, `GET`", "HTTP method."),
        key(
            "body",
            Shape::Text,
            "what is meant, as in docs/pipelines.md",
            "JSON that is sent; placeholders stand inside of its texts.",
        ),
    ],
};

/// A traffic system that is steered by commands.
pub static STEERING: Section = Section {
    path: "steering.NAME",
    about: "A traffic system that no cluster holds (DNS, a load balancer), for routes with `provider = \"command\"`: three commands or requests, with keys as in `[pipeline.NAME.VERB]`. What is told may also hold `{{backend}}` and `{{weight}}`.",
    keys: &[
        key(
            "state",
            Shape::Table(&DEED),
            REQUIRED,
            "Asks for the weights of all backends of `{{service}}`: JSON as in docs/traffic.md.",
        ),
        key("every", Shape::Duration, "`30s`", "Between two such questions, from 5s to 5m."),
        key("drain", Shape::Table(&DEED), REQUIRED, "Gives `{{backend}}` less: `{{weight}}`, at the end 0."),
        key("restore", Shape::Table(&DEED), REQUIRED, "Gives it more again: `{{weight}}`, at the end what it had."),
        ENV,
        ENDPOINT,
    ],
};

/// The top of the file's other key.
pub(super) const STEERINGS: Key =
    key("steering", Shape::Named(&STEERING), NONE, "Traffic systems that are steered by commands, by name.");

/// The top of the file's own key.
pub(super) const PIPELINES: Key =
    key("pipeline", Shape::Named(&PIPELINE), NONE, "Pipelines of other systems, by name.");
