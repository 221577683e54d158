//! What the directories hold, as LDIF.

use crate::harness::SUFFIX;
use std::io::{Result, Write};

/// The DN of a user.
pub fn user(number: usize) -> String {
    format!("uid={},ou=people,{SUFFIX}", name(number))
}

/// The userName of a user.
pub fn name(number: usize) -> String {
    format!("u{number:07}@example.test")
}

/// The DN of a group with so many members.
pub fn group(members: usize) -> String {
    format!("cn=All {members},ou=groups,{SUFFIX}")
}

/// So many users, each with what a directory usually knows of somebody, and a group of the first ones for each of
/// these sizes.
pub fn write(out: &mut dyn Write, users: usize, groups: &[usize]) -> Result<()> {
    for number in 0..users {
        write_user(out, number)?;
        // The overlay that keeps this does not see what is filled in before the server runs.
        for members in groups.iter().filter(|members| number < **members) {
            writeln!(out, "memberOf: {}", group(*members))?;
        }
        writeln!(out)?;
    }
    for members in groups {
        writeln!(out, "dn: {}\nobjectClass: groupOfNames", group(*members))?;
        for number in 0..*members {
            writeln!(out, "member: {}", user(number))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_user(out: &mut dyn Write, number: usize) -> Result<()> {
    let name = name(number);
    writeln!(
        out,
        "dn: {}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: Ada Lovelace {number}\nsn: Lovelace {number}\n\
         givenName: Ada\ndisplayName: Ada Lovelace {number}\nmail: {name}\ntitle: Engineer\n\
         telephoneNumber: +44 20 7946 0018\ndepartmentNumber: Engines\nemployeeNumber: 00u{number:07}",
        user(number)
    )
}
