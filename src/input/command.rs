//! What can be commanded: a name, a sentence, where it works, and whether it acts.

/// Something an operator can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// The row above.
    Up,
    /// The row below.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// The first row.
    Top,
    /// The last row.
    Bottom,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The next pane.
    NextPane,
    /// The pane before.
    PreviousPane,
    /// The region in this row.
    Focus(u8),
    /// Mark or unmark the region.
    Mark,
    /// Open what is under the cursor.
    Drill,
    /// Back.
    Back,
    /// Back, or quit.
    Quit,
    /// Quit, whatever is open.
    QuitNow,
    /// Filter rows.
    Filter,
    /// The palette.
    Palette,
    /// Help.
    Help,
    /// Describe the region.
    Describe,
    /// The region's object as YAML.
    Yaml,
    /// Pods and their last logs.
    Pods,
    /// Copy the kubectl line.
    Copy,
    /// Events.
    Events,
    /// Why it may not go on.
    Explain,
    /// The runbook.
    Runbook,
    /// The journal.
    Journal,
    /// The program's own log.
    Log,
    /// The go/no-go board alone.
    Gates,
    /// The fleet board.
    Fleet,
    /// The service after this.
    NextService,
    /// The service before this.
    PreviousService,
    /// Save the screen to a file.
    Save,
    /// Try lost clusters now.
    Reconnect,
    /// Back to the shell for a while.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Less time on the timeline.
    ZoomIn,
    /// More time on the timeline.
    ZoomOut,
    /// The whole release on the timeline.
    ZoomFit,
    /// Earlier.
    PanLeft,
    /// Later.
    PanRight,
    /// Rings or regions on the timeline.
    Expand,
    /// Another theme.
    Theme,
    /// Acknowledge a record that disappeared.
    Acknowledge,
    /// Promote.
    Promote,
    /// Promote without the rest of the wait.
    PromoteNow,
    /// Hold.
    Hold,
    /// Undo a hold or a drain.
    Undo,
    /// Hold every region.
    HoldAll,
    /// Roll back.
    RollBack,
    /// Roll back the earlier rings, too, after a ring has failed.
    RollBackUpstream,
    /// The policy in force here, and whose is another.
    Policy,
    /// Abort what is in flight.
    Abort,
    /// Drain.
    Drain,
    /// What waits for an approval.
    Approve,
    /// End the approvals of a ring.
    Revoke,
    /// Switch a flag off.
    FlagOff,
    /// Refuse a digest everywhere.
    Quarantine,
    /// Accept what stands in a metric gate's way.
    Accept,
    /// A step of a checklist was taken.
    Tick,
    /// A step of a checklist was taken back.
    Untick,
    /// End a quarantine.
    Clear,
    /// Try the last operation again.
    Retry,
    /// Stop what has not started yet of the open operation.
    Cancel,
    /// Become a watch screen.
    Watch,
}

/// Where a command belongs in help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Moving about.
    Move,
    /// Looking.
    Look,
    /// The timeline.
    Timeline,
    /// Acting on the fleet.
    Act,
    /// The console itself.
    Console,
}

/// What a command can do to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Danger {
    /// Nothing: it only shows.
    None,
    /// Removes risk.
    Lowers,
    /// Adds risk.
    Raises,
}

/// A command with all that is told about it.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The command.
    pub command: Command,
    /// Its name, in the palette and in the configuration.
    pub name: &'static str,
    /// Its word in the bottom line; empty: not there.
    pub short: &'static str,
    /// One sentence.
    pub sentence: &'static str,
    /// Where it belongs.
    pub group: Group,
    /// What it can do.
    pub danger: Danger,
    /// Default keys.
    pub keys: &'static [&'static str],
}

macro_rules! commands {
    ($($command:ident $name:literal $short:literal $group:ident $danger:ident [$($key:literal),*] $sentence:literal;)*) => {
        /// Every command but the nine of [`Command::Focus`], in the order of help.
        pub const COMMANDS: &[About] = &[$(About {
            command: Command::$command,
            name: $name,
            short: $short,
            sentence: $sentence,
            group: Group::$group,
            danger: Danger::$danger,
            keys: &[$($key),*],
        }),*];
    };
}

commands! {
    Up "up" "" Move None ["k", "up"] "the row above";
    Down "down" "" Move None ["j", "down"] "the row below";
    Left "left" "" Move None ["left"] "the cell to the left; earlier on the timeline";
    Right "right" "" Move None ["right"] "the cell to the right; later on the timeline";
    Top "top" "" Move None ["g g", "home"] "the first row";
    Bottom "bottom" "" Move None ["G", "end"] "the last row";
    PageUp "page-up" "" Move None ["pageup", "ctrl-u", "ctrl-b"] "a page up";
    PageDown "page-down" "" Move None ["pagedown", "ctrl-d", "ctrl-f"] "a page down";
    NextPane "next-pane" "next" Move None ["tab"] "the next pane";
    PreviousPane "previous-pane" "" Move None ["shift-tab"] "the pane before";
    Mark "mark" "" Move None ["space"] "mark or unmark the region: capitals then act on the marked ones";
    Drill "open" "" Move None ["enter"] "open what is under the cursor: region, evidence, service";
    Back "back" "" Move None ["esc"] "back; clears marks and filter";
    Filter "filter" "filter" Move None ["/"] "show only rows that match";
    NextService "next-service" "" Move None ["."] "the next service";
    PreviousService "previous-service" "" Move None [","] "the service before";
    Fleet "fleet" "fleet" Look None ["f"] "the fleet board: every service, ring by ring, worst first";
    Gates "gates" "gates" Look None ["v"] "the go/no-go board alone, with what the cell under the cursor rests on";
    Describe "describe" "describe" Look None ["d"] "describe the region: workload, history, route, record, rights";
    Yaml "yaml" "yaml" Look None ["y"] "the region's object as YAML";
    Pods "pods" "pods" Look None ["l"] "pods of the region, failing first, with reasons and last log lines";
    Events "events" "events" Look None ["e"] "events and what was seen happen";
    Explain "explain" "why" Look None ["x"] "explain why the release may not go on, gate by gate";
    Policy "policy" "" Look None [] "the policy in force here, and whose is another";
    Journal "journal" "journal" Look None ["@"] "operations and the facts of the record";
    Log "log" "" Look None [";"] "the log of this program";
    Runbook "runbook" "" Look None ["o"] "the service's runbook";
    Copy "copy" "copy" Look None ["c"] "copy the kubectl line that shows or does the same";
    ZoomIn "zoom-in" "" Timeline None ["+", "="] "less time, more detail";
    ZoomOut "zoom-out" "" Timeline None ["-"] "more time, less detail";
    ZoomFit "zoom-fit" "" Timeline None ["_", "0"] "the whole release";
    PanLeft "pan-left" "" Timeline None ["["] "earlier; the now-line stays in view";
    PanRight "pan-right" "" Timeline None ["]"] "later; the now-line stays in view";
    Expand "expand" "" Timeline None ["z"] "one line per region instead of one per ring, and back";
    Promote "promote" "promote" Act Raises ["P"] "promote the ring that the board asks about, or the marked regions";
    PromoteNow "promote-now" "promote now" Act Raises ["F"] "promote without the rest of the wait: an override with a reason";
    Hold "hold" "hold" Act Lowers ["H"] "hold: stop promotions, pause rollouts in flight";
    HoldAll "hold-all" "hold all" Act Lowers ["!"] "hold every region of this service now, without a prompt";
    Undo "undo" "undo" Act Raises ["U"] "undo a hold (resume) or a drain (restore)";
    RollBack "rollback" "roll back" Act Lowers ["B"] "roll back to known-good";
    RollBackUpstream "rollback-upstream" "upstream" Act Lowers ["Z"] "after a ring has failed: roll back the earlier rings that are under review";
    Abort "abort" "abort" Act Lowers ["X"] "abort: roll back what is in flight";
    Drain "drain" "drain" Act Lowers ["D"] "take the region out of traffic";
    FlagOff "flag-off" "flag off" Act Lowers ["O"] "switch a flag of the service off, by what its configuration says";
    Approve "approve" "approvals" Act Raises ["A"] "approvals: what waits for a yes, and the prompt to give it; on a cell of the board that can be accepted: accept it";
    Revoke "revoke" "" Act Lowers [] "end the approvals of a ring, whoever gave them";
    Quarantine "quarantine" "" Act Lowers [] "refuse what runs here everywhere, as target and as way back";
    Accept "accept" "" Act Raises [] "accept what stands in a metric gate's way here, with a reason: windows outside that are over, or unknown ones";
    Tick "tick" "" Act Raises [] "say that a step of the checklist was taken here";
    Untick "untick" "" Act Lowers [] "say that a step of the checklist was taken back";
    Clear "clear" "" Act Raises [] "end a quarantine, with a reason";
    Retry "retry" "retry" Act Raises ["T"] "propose the last operation that did not settle once more";
    Cancel "cancel" "cancel" Act Lowers ["ctrl-x"] "stop what has not started yet of the open operation";
    Acknowledge "acknowledge" "" Act Raises [] "acknowledge that a record disappeared, so that raising may go on";
    Palette "palette" "palette" Console None [":", "ctrl-p"] "find a command by name";
    Help "help" "help" Console None ["?"] "keys and glossary";
    Theme "theme" "" Console None [] "use the next theme";
    Save "save-screen" "" Console None ["S"] "save the screen to a file";
    Reconnect "reconnect" "" Console None ["R"] "try lost clusters again now";
    Redraw "redraw" "" Console None ["ctrl-l"] "draw everything anew";
    Suspend "suspend" "" Console None ["ctrl-z"] "back to the shell; `fg` returns";
    Watch "watch" "" Console None ["W"] "turn this console into a watch screen until it is started again";
    Quit "quit" "" Console None ["q"] "back, or quit; asks when an operation is open";
    QuitNow "quit-now" "" Console None ["ctrl-c"] "quit; asks when an operation is open";
}

impl Command {
    /// All that is told about it.
    pub fn about(self) -> Option<&'static About> {
        COMMANDS.iter().find(|a| a.command == self)
    }
    /// Its name.
    pub fn name(self) -> String {
        match self {
            Command::Focus(n) => format!("focus-{n}"),
            command => command.about().map_or("?", |a| a.name).to_owned(),
        }
    }
    /// The command of that name.
    pub fn named(name: &str) -> Option<Self> {
        let focus = || name.strip_prefix("focus-")?.parse().ok().filter(|n| (1..=9).contains(n)).map(Command::Focus);
        COMMANDS.iter().find(|a| a.name == name).map(|a| a.command).or_else(focus)
    }
    /// What it can do to the fleet.
    pub fn danger(self) -> Danger {
        self.about().map_or(Danger::None, |a| a.danger)
    }
}

impl Group {
    /// Its heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Group::Move => "move",
            Group::Look => "look",
            Group::Timeline => "timeline",
            Group::Act => "act",
            Group::Console => "console",
        }
    }
}

/// Groups in the order of help.
pub const GROUPS: [Group; 5] = [Group::Act, Group::Move, Group::Look, Group::Timeline, Group::Console];
