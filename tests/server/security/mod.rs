//! Users and their permissions.

mod acl;
mod acl_roles;
