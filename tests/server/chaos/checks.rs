//! What must hold of a journal, whatever was broken: docs/guarantees.md says it in words.

use super::journal::{Delivery, Entries, How, Kept, Push, Settlement, Tag, Told};
use std::collections::{BTreeMap, BTreeSet};

/// All that is known of one message.
#[derive(Default)]
struct Story<'a> {
    pushes: Vec<&'a Push>,
    /// By receipt.
    deliveries: Vec<&'a Delivery>,
    settlements: Vec<&'a Settlement>,
}

impl Story<'_> {
    fn settlements_of<'a>(&'a self, receipt: &'a str) -> impl Iterator<Item = &'a Settlement> {
        self.settlements.iter().copied().filter(move |one| one.receipt == receipt)
    }

    /// The deliveries in its own queue, before it died.
    fn alive(&self) -> Vec<&Delivery> {
        self.deliveries.iter().copied().filter(|delivery| delivery.death.is_none()).collect()
    }
}

/// Everything that does not fit together, as sentences. The queue was drained: nothing is left in it.
/// `max_retries` is the queue's setting.
pub fn violations(journal: &Entries, max_retries: i64) -> Vec<String> {
    let stories = stories(journal);
    let mut found = Vec::new();
    for (tag, story) in &stories {
        let mut say = |what: String| found.push(format!("message {tag}: {what}"));
        was_delivered(story, &mut say);
        has_one_id(story, &mut say);
        receipts_rise(story, &mut say);
        stays_acknowledged(story, &mut say);
        is_held_by_one(journal, story, &mut say);
        retries_add_up(journal, story, &mut say);
        died_rightly(story, max_retries, &mut say);
        was_refused_rightly(journal, story, &mut say);
    }
    groups_are_in_order(journal, &mut |what| found.push(what));
    found
}

/// Fails with the first violations, if there are any; and if next to nothing happened.
#[track_caller]
pub fn assert_none(violations: &[String], journal: &Entries) {
    let told = |told: &Told| *told == Told::Done;
    let pushed = journal.pushes.iter().filter(|push| told(&push.told)).count();
    let again = journal.deliveries.iter().filter(|delivery| delivery.retry_count > 0).count();
    let dead = journal.deliveries.iter().filter(|delivery| delivery.death.is_some()).count();
    eprintln!(
        "{pushed} pushed, {} delivered, {again} of them again, {dead} dead, {} settled, {} ticks, \
         {} disturbances",
        journal.deliveries.len(),
        journal.settlements.iter().filter(|one| told(&one.told)).count(),
        journal.ticks.len(),
        journal.disturbances.len(),
    );
    // In a few seconds there may by chance be no dead letter, and on a busy machine little else.
    let has_worked = if super::duration().as_secs() < 10 {
        pushed > 10 && again > 0
    } else {
        pushed > 100 && again > 10 && dead > 0
    };
    assert!(has_worked, "the load did not work");
    let shown = violations.iter().take(5).map(|one| format!("\n- {one}")).collect::<String>();
    assert!(violations.is_empty(), "{} violations:{shown}", violations.len());
}

fn stories(journal: &Entries) -> BTreeMap<Tag, Story<'_>> {
    let mut stories: BTreeMap<Tag, Story<'_>> = BTreeMap::new();
    for push in &journal.pushes {
        stories.entry(push.tag).or_default().pushes.push(push);
    }
    for delivery in &journal.deliveries {
        stories.entry(delivery.tag).or_default().deliveries.push(delivery);
    }
    for settlement in &journal.settlements {
        stories.entry(settlement.tag).or_default().settlements.push(settlement);
    }
    for story in stories.values_mut() {
        story.deliveries.sort_by(|one, other| one.receipt.cmp(&other.receipt));
    }
    stories
}

/// A push that was answered, and survives, is delivered.
fn was_delivered(story: &Story<'_>, say: &mut dyn FnMut(String)) {
    let is_sure = |push: &&&Push| push.told == Told::Done && push.kept == Kept::Surely;
    if let Some(push) = story.pushes.iter().find(is_sure)
        && story.deliveries.is_empty()
    {
        say(format!("lost: it was pushed ({push:?}) and never delivered"));
    }
    if story.pushes.is_empty() {
        say("delivered, but nobody pushed it".into());
    }
}

/// Also one that was pushed again with its key, because the first answer never came.
fn has_one_id(story: &Story<'_>, say: &mut dyn FnMut(String)) {
    let told = story.pushes.iter().filter(|push| push.kept == Kept::Surely);
    let told = told.filter_map(|push| push.id.as_deref());
    let delivered = story.deliveries.iter().map(|delivery| delivery.id.as_str());
    let ids: BTreeSet<&str> = told.chain(delivered).collect();
    if ids.len() > 1 {
        say(format!("it has several ids: {ids:?}"));
    }
}

/// Whatever happens between two deliveries.
fn receipts_rise(story: &Story<'_>, say: &mut dyn FnMut(String)) {
    for pair in story.deliveries.windows(2) {
        if pair[0].receipt == pair[1].receipt || pair[1].when.is_before(&pair[0].when) {
            say(format!("a later delivery has no higher receipt: {pair:?}"));
        }
    }
}

/// A confirmed acknowledgment is never followed by another delivery.
fn stays_acknowledged(story: &Story<'_>, say: &mut dyn FnMut(String)) {
    let is_sure = |one: &&&Settlement| {
        one.how == How::Acknowledge && one.told == Told::Done && one.kept == Kept::Surely
    };
    let Some(acknowledged) = story.settlements.iter().find(is_sure) else { return };
    let later = story.deliveries.iter().find(|delivery| {
        // A later delivery that a fault undid leaves the one before it to be acknowledged.
        let was_undone =
            delivery.kept == Kept::Perhaps && delivery.when.is_before(&acknowledged.when);
        delivery.receipt > acknowledged.receipt && !was_undone
            || acknowledged.when.is_before(&delivery.when)
    });
    if let Some(later) = later {
        say(format!("delivered after its acknowledgment: {acknowledged:?}, then {later:?}"));
    }
}

/// No delivery begins before the one before it ended: by its time, or by somebody's doing.
fn is_held_by_one(journal: &Entries, story: &Story<'_>, say: &mut dyn FnMut(String)) {
    for pair in story.deliveries.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let is_nacked = story.settlements_of(&first.receipt).any(|one| {
            one.how != How::Extend
                && one.how != How::Acknowledge
                && one.when.began_us <= second.when.ended_us
        });
        let is_over = second.when.ended_ms() >= first.until_ms;
        let is_undone = first.kept == Kept::Perhaps && !journal.is_calm(&first.when, &second.when);
        if !is_nacked && !is_over && !is_undone {
            say(format!("delivered while it was held: {first:?}, then {second:?}"));
        }
    }
}

/// Each return counts once, unless it was not to be counted.
fn retries_add_up(journal: &Entries, story: &Story<'_>, say: &mut dyn FnMut(String)) {
    let alive = story.alive();
    if let Some(first) = alive.first()
        && let Some(push) = story.pushes.first()
        && first.retry_count > 0
        && journal.is_calm(&push.when, &first.when)
    {
        say(format!("the first delivery is no first one: {first:?}"));
    }
    for pair in alive.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let is_calm = journal.is_calm(&first.when, &second.when);
        let is_uncounted = story
            .settlements_of(&first.receipt)
            .any(|one| one.how == How::NackUncounted && one.told == Told::Done);
        let expected = first.retry_count + i64::from(!is_uncounted);
        let is_right = if is_calm {
            second.retry_count == expected
        } else {
            first.kept == Kept::Perhaps || second.retry_count >= first.retry_count
        };
        if !is_right {
            say(format!("a retry count of {}, not {expected}: {pair:?}", second.retry_count));
        }
    }
}

/// Dead letters died of too many retries or because somebody said so, and don't come back.
fn died_rightly(story: &Story<'_>, max_retries: i64, say: &mut dyn FnMut(String)) {
    let Some(dead) = story.deliveries.iter().find(|delivery| delivery.death.is_some()) else {
        return;
    };
    let (reason, retries) = dead.death.as_ref().expect("a death");
    let is_right = match reason.as_str() {
        "retries" => *retries == max_retries,
        "rejected" => story.settlements.iter().any(|one| one.how == How::Reject),
        _ => false,
    };
    if !is_right {
        say(format!("it should not have died: {dead:?}"));
    }
    let revived = story.alive().into_iter().find(|alive| alive.receipt > dead.receipt);
    if let Some(revived) = revived
        && dead.kept == Kept::Surely
    {
        say(format!("delivered after its death: {dead:?}, then {revived:?}"));
    }
}

/// A receipt is refused only if the message is gone, or somebody else had it, or it was used up.
fn was_refused_rightly(journal: &Entries, story: &Story<'_>, say: &mut dyn FnMut(String)) {
    for refused in &story.settlements {
        let Told::Refused(why) = &refused.told else { continue };
        let Some(delivery) = story.deliveries.iter().find(|one| one.receipt == refused.receipt)
        else {
            continue;
        };
        if delivery.kept == Kept::Perhaps && !journal.is_calm(&delivery.when, &refused.when) {
            continue;
        }
        let is_earlier = |one: &&Settlement| {
            !std::ptr::eq::<Settlement>(*one, *refused)
                && one.when.began_us <= refused.when.ended_us
        };
        let earlier: Vec<&Settlement> =
            story.settlements.iter().copied().filter(is_earlier).collect();
        let may_be_gone =
            earlier.iter().any(|one| matches!(one.how, How::Acknowledge | How::Reject))
                || story.deliveries.iter().any(|one| one.death.is_some());
        let is_used_up =
            earlier.iter().any(|one| one.receipt == refused.receipt && one.how != How::Extend);
        let is_over = refused.when.ended_ms() >= delivery.until_ms;
        let is_anothers = story.deliveries.iter().any(|one| one.receipt > refused.receipt)
            || !journal.is_calm(&delivery.when, &refused.when);
        let is_right = match (why.as_str(), refused.how) {
            ("NOTFOUND", _) => may_be_gone,
            ("BADRECEIPT", How::Acknowledge | How::Extend) => is_used_up || is_anothers,
            ("BADRECEIPT", _) => is_used_up || is_over,
            // An error that says nothing of the message.
            _ => true,
        };
        if !is_right {
            say(format!("refused without a reason: {refused:?} of {delivery:?}"));
        }
    }
}

/// Once a message of a group is delivered, no earlier one comes any more.
fn groups_are_in_order(journal: &Entries, say: &mut dyn FnMut(String)) {
    let groups: BTreeMap<Tag, &str> = journal
        .pushes
        .iter()
        .filter(|push| push.told == Told::Done)
        .filter_map(|push| Some((push.tag, push.group.as_deref()?)))
        .collect();
    let mut lines: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in journal.deliveries.iter().filter(|delivery| delivery.death.is_none()) {
        if let Some(group) = groups.get(&delivery.tag) {
            lines.entry(group).or_default().push(delivery);
        }
    }
    for (group, line) in &mut lines {
        line.sort_by(|one, other| one.receipt.cmp(&other.receipt));
        for pair in line.windows(2) {
            let is_undone =
                pair[0].kept == Kept::Perhaps && !journal.is_calm(&pair[0].when, &pair[1].when);
            if pair[1].tag < pair[0].tag && !is_undone {
                say(format!("group {group} is out of order: {pair:?}"));
            }
        }
    }
}
