//! The keys of policies.

use super::{Key, NONE, Section, Shape, key};

pub(super) const POLICY_KEY: Key = key(
    "policy",
    Shape::Table(&POLICY),
    "hold on NO-GO, and people move a release on",
    "What follows a NO-GO, and how far a release goes by itself. Key by key the most specific one counts: service ring, topology ring, service, topology, `[defaults]`, preset.",
);
pub(super) const RING_POLICY_KEY: Key =
    key("policy", Shape::Table(&RING_POLICY), "the service's", "What differs in this ring, key by key.");
const ON_NOGO: Key = key(
    "on_nogo",
    Shape::Word(&["advise", "hold", "abort", "rollback"]),
    "`hold`",
    "What a guard does when an exit gate says NO-GO: only say so; hold; roll back what is in flight and hold the rest; return to known-good.",
);
const SCOPE: Key = key(
    "scope",
    Shape::Word(&["region", "ring", "upstream"]),
    "`region`",
    "Where it does that: in the region that failed, in its ring, or in its ring and those before it, where they run the version.",
);
const FALLBACK: Key = key(
    "fallback",
    Shape::Texts,
    "`[\"n-1\", \"n-2\"]`",
    "Where a rollback goes until one works: `n-1` what ran before, `n-2` what ran before that, `drain` out of traffic. After the last the region is held.",
);
const ROLLBACK_LIMIT: Key =
    key("rollback_limit", Shape::Duration, "`10m`", "A rollback that has not settled by then counts as failed.");
const ATTEMPTS: Key = key("attempts", Shape::Whole(1), "2", "How often each entry of `fallback` is tried.");
const ADVANCE: Key = key(
    "advance",
    Shape::Word(&["auto", "ask", "two-person"]),
    "`ask`",
    "Who moves a release into the ring: the guard in autopilot on GO; a person; a person with the approval of another (the ring then needs an `approval` gate).",
);
const REGION_DISTANCE: Key = key(
    "region_distance",
    Shape::Duration,
    "none",
    "Least time between one region of the ring and the next: a promotion then changes one region at a time.",
);
const RING_DISTANCE: Key = key(
    "ring_distance",
    Shape::Duration,
    "none",
    "Least time between the last change of an earlier ring and this one.",
);
const GATE_POLICIES: Key =
    key("gate", Shape::Named(&GATE_POLICY), NONE, "What differs for one gate, by the name that the board shows.");

/// What follows a NO-GO.
pub static POLICY: Section = Section {
    path: "service.NAME.policy",
    about: "What follows a NO-GO, and how far a release goes by itself. A guard carries it out; consoles show it. It is part of the policy hash.",
    keys: &[
        key(
            "preset",
            Shape::Word(&["tier-1", "tier-2", "tier-3", "one-cell", "five-rings", "two-regions"]),
            NONE,
            "A ready policy with bakes for each ring, which hold where no list of gates and no `bake` says otherwise; see Presets below.",
        ),
        ON_NOGO,
        SCOPE,
        GATE_POLICIES,
        FALLBACK,
        ROLLBACK_LIMIT,
        ATTEMPTS,
        ADVANCE,
        REGION_DISTANCE,
        RING_DISTANCE,
        key(
            "actions",
            Shape::Whole(1),
            "10",
            "At most so many automatic rollbacks, aborts and drains per release; then a guard only holds.",
        ),
        key(
            "breaker",
            Shape::Whole(1),
            "3",
            "So many automatic actions or failures in one region open its breaker: it is held until a person releases the hold.",
        ),
        key("forgotten_pause", Shape::Duration, "`1h`", "A pause that lasts longer is an alarm."),
        key("unmoved", Shape::Duration, "the preset's", "A release that has not moved for longer is an alarm."),
        key("longest", Shape::Duration, "the preset's", "The bakes of all rings together must not take longer."),
    ],
};

/// What differs in one ring.
pub static RING_POLICY: Section = Section {
    path: "service.NAME.ring.RING.policy",
    about: "What differs in one ring: the same keys, without those that are about the whole release.",
    keys: &[ON_NOGO, SCOPE, GATE_POLICIES, FALLBACK, ROLLBACK_LIMIT, ATTEMPTS, ADVANCE, REGION_DISTANCE, RING_DISTANCE],
};

/// What differs for one gate.
pub static GATE_POLICY: Section =
    Section { path: "service.NAME.policy.gate.GATE", about: "What differs for one gate.", keys: &[ON_NOGO, SCOPE] };

/// Somebody whom a guard tells.
pub static NOTIFY: Section = Section {
    path: "notify.NAME",
    about: "A webhook that `gonogo guard` tells: one message per change of state, tried again for some minutes, never waited for.",
    keys: &[
        key(
            "url",
            Shape::Secret,
            super::REQUIRED,
            "`{ env = \"VAR\" }` or `{ file = \"PATH\" }`: whoever knows it can write there.",
        ),
        key(
            "form",
            Shape::Word(&["generic", "slack"]),
            "`generic`",
            "What it takes: our JSON, or `{\"text\": …}` as Slack does.",
        ),
        key(
            "events",
            Shape::Texts,
            "all",
            "Which it wants: `verdict`, `hold`, `rollback`, `divergence`, `alarm` (a forgotten pause, a release that stands still, a guard that is silent, broken glass).",
        ),
    ],
};
