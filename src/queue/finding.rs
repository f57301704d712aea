//! What a check of a queue can find: records that don't fit together.

/// A kind of damage. docs/commands/mq.check.md says what a repair does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A record of a list of ready messages or of `Messages` can't be read, or is another message's.
    DamagedBody,
    /// A note can't be read, or says what can't be.
    DamagedNote,
    /// A place is none of ours, or its score is no rank or moment.
    DamagedPlace,
    /// A field of `Config` is no setting, or its text is no value of it.
    DamagedSetting,
    /// A body of `Messages` has no place.
    BodyWithoutPlace,
    /// A place has no body.
    PlaceWithoutBody,
    /// A note has no body in `Messages`.
    NoteWithoutMessage,
    /// A message has a place too many.
    TwoPlaces,
    /// A place does not fit what is known of the message.
    WrongPlace,
    /// A record of a list of ready messages stands behind one with a greater id.
    OutOfOrder,
    /// A note does not fit what the message does.
    WrongNote,
    /// `Lanes` differs from the lists of ready messages.
    WrongLane,
    /// `Retried` differs from the notes.
    WrongRetried,
    /// `Expiring` differs from what is known of the messages and from their places.
    WrongExpiring,
    /// `Dead` differs from the notes and places.
    WrongDead,
    /// The counts of a group differ from what is there.
    WrongGroup,
    /// `Turns` differs from the groups that can be served.
    WrongTurn,
    /// `Dedup` or `Deduped` point nowhere, or lack the key of a message.
    WrongDedup,
}

impl Finding {
    /// The name as it is replied.
    pub fn name(self) -> &'static str {
        match self {
            Self::DamagedBody => "damaged_body",
            Self::DamagedNote => "damaged_note",
            Self::DamagedPlace => "damaged_place",
            Self::DamagedSetting => "damaged_setting",
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
        }
    }
}
