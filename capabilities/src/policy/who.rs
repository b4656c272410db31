//! The people of a business by their role, and sets of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works on site.
    Technician,
    /// Runs the office.
    Manager,
    /// Owns the business.
    Owner,
}

impl Role {
    /// As it is stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Manager => "manager",
            Self::Owner => "owner",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Technician, Self::Manager, Self::Owner].into_iter().find(|role| role.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The people who may do or read something: a set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Who(u8);

impl Who {
    /// Every person of the business.
    pub const EVERYONE: Self = Self::of(&[Role::Technician, Role::Manager, Role::Owner]);
    /// Managers and owners.
    pub const MANAGERS: Self = Self::of(&[Role::Manager, Role::Owner]);
    /// Owners alone.
    pub const OWNERS: Self = Self::of(&[Role::Owner]);

    /// People of these roles.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let (mut bits, mut next) = (0, 0);
        while next < roles.len() {
            bits |= roles[next].bit();
            next += 1;
        }
        Self(bits)
    }

    /// Those who are among both: who may do both of two things.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `role` is among them.
    #[must_use]
    pub const fn includes(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// In words, for a refusal.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        let among = [Role::Technician, Role::Manager, Role::Owner].map(|role| self.includes(role));
        match among {
            [true, true, true] => "everyone",
            [false, true, true] => "managers and owners",
            [true, false, true] => "technicians and owners",
            [true, true, false] => "technicians and managers",
            [true, false, false] => "technicians",
            [false, true, false] => "managers",
            [false, false, true] => "owners",
            [false, false, false] => "nobody",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_those_roles_and_no_others() {
        let on_site = Who::of(&[Role::Technician, Role::Owner]);
        let roles = [Role::Technician, Role::Manager, Role::Owner];
        assert_eq!(roles.map(|role| on_site.includes(role)), [true, false, true]);
        assert_eq!(roles.map(|role| Who::MANAGERS.includes(role)), [false, true, true]);
        assert_eq!(on_site.in_words(), "technicians and owners");
    }

    #[test]
    fn who_may_do_two_things_is_among_both() {
        assert_eq!(Who::EVERYONE.and(Who::MANAGERS), Who::MANAGERS);
        let on_site = Who::of(&[Role::Technician]);
        assert_eq!(on_site.and(Who::MANAGERS).in_words(), "nobody", "the order of roles says nothing");
    }
}
