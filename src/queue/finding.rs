//! What a check of a queue can find: records that are inconsistent.

/// A kind of inconsistency. docs/commands/mq.check.md says how a repair treats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A record of a ready list or of `Messages` is unreadable, or belongs to another message.
    DamagedBody,
    /// A state record is unreadable or impossible.
    DamagedNote,
    /// A member is invalid, or its score is no rank or timestamp.
    DamagedPlace,
    /// A field of `Config` is no setting, or its value is invalid.
    DamagedSetting,
    /// A record of `Schedules` is unreadable, or its name is invalid.
    DamagedSchedule,
    /// A body in `Messages` has no place.
    BodyWithoutPlace,
    /// A place has no body.
    PlaceWithoutBody,
    /// A state record has no body in `Messages`.
    NoteWithoutMessage,
    /// A message has more than one place.
    TwoPlaces,
    /// A place contradicts the state of its message.
    WrongPlace,
    /// A record of a ready list follows one with a greater id.
    OutOfOrder,
    /// A state record contradicts the place of its message.
    WrongNote,
    /// `Lanes` does not match the ready lists.
    WrongLane,
    /// `Retries` and `Retried` do not match the state records.
    WrongRetried,
    /// `Expiring` does not match the messages and their places.
    WrongExpiring,
    /// `Dead` does not match the state records and places.
    WrongDead,
    /// The record of a group does not match its messages.
    WrongGroup,
    /// `Turns` does not match the groups that can be served.
    WrongTurn,
    /// `Dedup` or `Deduped` name no message, or lack the key of one.
    WrongDedup,
    /// `Ticks` does not match `Schedules`.
    WrongTick,
}

impl Finding {
    /// The name as it is replied.
    pub fn name(self) -> &'static str {
        match self {
            Self::DamagedBody => "damaged_body",
            Self::DamagedNote => "damaged_note",
            Self::DamagedPlace => "damaged_place",
            Self::DamagedSetting => "damaged_setting",
            Self::DamagedSchedule => "damaged_schedule",
            Self::BodyWithoutPlace => "body_without_place",
            Self::PlaceWithoutBody => "place_without_body",
            Self::NoteWithoutMessage => "note_without_message",
            Self::TwoPlaces => "two_places",
            Self::WrongPlace => "wrong_place",
            Self::OutOfOrder => "out_of_order",
            Self::WrongNote => "wrong_note",
            Self::WrongLane => "wrong_lane",
            Self::WrongRetried => "wrong_retried",
            Self::WrongExpiring => "wrong_expiring",
            Self::WrongDead => "wrong_dead",
            Self::WrongGroup => "wrong_group",
            Self::WrongTurn => "wrong_turn",
            Self::WrongDedup => "wrong_dedup",
            Self::WrongTick => "wrong_tick",
        }
    }
}
