//! Complaints that the product does not give way to. `docs/scim-support.md` explains them to users.

/// A complaint that has to be heard.
#[derive(Debug)]
pub struct Expected {
    /// Who complains.
    pub suite: &'static str,
    /// The check, as the report calls it.
    pub check: &'static str,
    /// What the complaint holds.
    pub mentions: &'static str,
    /// Why it stays.
    pub why: &'static str,
}

/// All of them.
pub const ALL: &[Expected] = &[
    Expected {
        suite: "scim2-tester",
        check: "User check_add_attribute",
        mentions: "unexpected value for 'name'",
        why: COMPUTED,
    },
    Expected {
        suite: "scim2-tester",
        check: "User check_replace_attribute",
        mentions: "unexpected value for 'name'",
        why: COMPUTED,
    },
    Expected {
        suite: "scim2-tester",
        check: "User check_remove_attribute",
        mentions: "did not remove attribute 'active'",
        why: "an account is enabled or disabled, there is nothing between: a deliberate deviation",
    },
    Expected {
        suite: "scim-sanity",
        check: "PATCH /Groups/{id} add member",
        mentions: "Expected 200, got 400",
        why: "the member does not exist: RFC 7643 section 2.3.7 allows to enforce referential integrity",
    },
];

const COMPUTED: &str = "name.formatted is computed, read-only and shown with the rest of the name: RFC 7643 section 7 \
                        has it returned by default in all answers";
