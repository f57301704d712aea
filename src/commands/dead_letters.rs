//! The dead-letter queue of the queue that a command names, for commands that read it.

use std::rc::Rc;

use super::errors::CommandError;
use crate::queue::part::Part;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::runtime::entry::Entry;
use crate::runtime::facts::IS_CLUSTER;
use crate::runtime::index;
use crate::server::acl::User;
use crate::server::context::Context;
use crate::server::key::Access;

/// The dead-letter queue of a queue. A setting names it, and no argument does: so the server has not checked
/// whether the user has this permission on it.
pub fn of(
    context: Context<'_>,
    entry: &Entry,
    has_permission: fn(&User<'_>, &[u8]) -> bool,
) -> Result<Rc<Entry>, CommandError> {
    let mut store = entry.open(context, Access::Read);
    store.require(&[Part::Config])?;
    let settings = store.settings(&[Setting::DeadLetter]);
    let name = settings.dead_letter_of(entry.queue()).ok_or(CommandError::NoDeadLetterQueue)?;
    if IS_CLUSTER.get() && !name.shares_slot_with(entry.queue()) {
        return Err(CommandError::CrossSlot);
    }
    match context.user() {
        Some(user) if has_permission(&user, name.as_bytes()) => {}
        Some(_) => return Err(CommandError::NoDeadLetterPermission),
        None => return Err(CommandError::UnknownDeadLetterPermission(name)),
    }
    Ok(index::entry(context, name.as_bytes())?)
}
