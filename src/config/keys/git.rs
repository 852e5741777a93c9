//! The keys of what is brought through Git: repositories, and where in them a region's version stands.

use super::{Key, NONE, REQUIRED, Section, Shape, key};

pub(super) const REPOSITORIES: Key =
    key("repository", Shape::Named(&REPOSITORY), NONE, "Git repositories that hold versions, by name.");
pub(super) const GIT_KEY: Key = key(
    "git",
    Shape::TableOrOff(&GIT),
    NONE,
    "Its versions are brought by commits to a repository, not by writes to its workloads.",
);
pub(super) const OWN_GIT: Key = key(
    "git",
    Shape::Flag,
    "`true` if the service has one",
    "`false`: this region's versions are written into its workload.",
);

/// A repository.
pub static REPOSITORY: Section = Section {
    path: "repository.NAME",
    about: "A Git repository. The `git` of this host reads it and pushes to it, with its settings, and never asks anybody: keys, agents and credential helpers must be set up. docs/git.md tells more.",
    keys: &[
        key("url", Shape::Text, REQUIRED, "What `git clone` takes, without a password."),
        key("timeout", Shape::Duration, "`60s`", "How long one fetch or push may take, from 5s to 90s."),
    ],
};

/// Where the versions stand.
pub static GIT: Section = Section {
    path: "service.NAME.git",
    about: "One scalar of one YAML file is the version of a region; a promotion is one commit that changes it. `{{service}} {{region}} {{ring}} {{cluster}}` are replaced.",
    keys: &[
        key("repository", Shape::Text, "the only one there is", "The `[repository.NAME]`."),
        key("branch", Shape::Text, "`main`", "The branch that is brought to the clusters."),
        key("path", Shape::Text, REQUIRED, "The file, from the repository's root."),
        key("image", Shape::Text, NONE, "An entry of `images` in a kustomization, by its `name`."),
        key("field", Shape::Word(&["newTag", "digest", "newName"]), "`newTag`", "Which field of that entry."),
        key(
            "pointer",
            Shape::Text,
            NONE,
            "Any other scalar, e.g. `/spec/values/image/tag` or `/list[name=web]/tag`; instead of `image`.",
        ),
        key(
            "push",
            Shape::Word(&["direct", "branch"]),
            "`direct`",
            "`branch`: commits go to a branch of their own, for people to merge where the branch is protected.",
        ),
        key("except", Shape::Texts, NONE, "Regions whose versions are written into their workloads."),
    ],
};
