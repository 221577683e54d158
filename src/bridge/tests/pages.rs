//! A domain of Active Directory sends a thousand entries at once and no more, and 1,500 values of an attribute: whatever
//! is read whole has more of both.

use super::*;
use crate::bridge::shadow::{self, Shape};
use crate::directory::tests::domain::{MAX_PAGE_SIZE, MAX_VAL_RANGE};
use crate::store::{Durability, Session, Store, StoreSettings, StoreUrl};

/// More people than one answer holds.
const PEOPLE: usize = MAX_PAGE_SIZE + 100;
/// More members than one piece of a list of values holds.
const MEMBERS: usize = MAX_VAL_RANGE + 100;
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";
const BOSS: &str = "cn=boss@x.test,CN=Users,DC=x,DC=test";
/// Page sizes that the bridge asks for: less than the server allows, and more.
const PAGE_SIZES: [u32; 2] = [300, 5000];

/// A boss and people who report to her.
fn company(people: usize) -> Domain {
    let domain = Domain::new(TOGETHER);
    domain.put(BOSS, &[("cn", "boss@x.test"), ("userPrincipalName", "boss@x.test"), ("displayName", "Boss")]);
    for number in 0..people {
        let name = format!("p{number:04}@x.test");
        let rows = [("cn", &*name), ("userPrincipalName", &name), ("employeeType", "Employee"), ("manager", BOSS)];
        domain.put(&dn_of(number), &rows);
    }
    domain
}

fn dn_of(number: usize) -> String {
    format!("cn=p{number:04}@x.test,CN=Users,DC=x,DC=test")
}

fn put_group(domain: &Domain, name: &str, members: &[String]) {
    let dn = format!("cn={name},CN=Users,DC=x,DC=test");
    let mut rows = vec![("objectClass", "group"), ("cn", name)];
    rows.extend(members.iter().map(|dn| ("member", dn.as_str())));
    domain.put(&dn, &rows);
}

async fn paged(domain: &Domain, page_size: u32) -> Carrier {
    carrier_to(Domain::paged(&domain.serve().await, page_size), false, ("", ""))
}

/// One page of a list.
async fn list(carrier: &Carrier, kind: ResourceKind, pairs: &[(&str, &str)]) -> Page {
    let schema = &carrier.mapping(kind).unwrap().schema;
    let query = Query::from_pairs(pairs.iter().copied(), schema).unwrap();
    carrier.list(&[(kind, query)]).await.unwrap()
}

#[tokio::test]
async fn a_list_and_the_pages_behind_its_first_are_whole() {
    for page_size in PAGE_SIZES {
        let domain = company(PEOPLE);
        let carrier = paged(&domain, page_size).await;
        let last = (PEOPLE + 1).to_string();
        for (start, shown) in [("1", 100), (&*last, 1)] {
            let page = list(&carrier, ResourceKind::User, &[("startIndex", start)]).await;
            assert_eq!((page.total, page.resources.len()), (PEOPLE + 1, shown), "{page_size}, from {start}");
        }
        assert_eq!(domain.cut_short(), 0, "no search without pages was tried");
    }
}

#[tokio::test]
async fn a_filter_that_matches_more_than_a_page_matches_all_of_them() {
    for page_size in PAGE_SIZES {
        let domain = company(PEOPLE);
        let carrier = paged(&domain, page_size).await;
        let boss = list(&carrier, ResourceKind::User, &[("filter", "userName eq \"boss@x.test\"")]).await;
        let manager = format!("{MANAGER} eq \"{}\"", id_of(&boss.resources[0].1));
        for (filter, total) in [
            // It looks as if few would match, so it is asked without pages first.
            ("userType eq \"Employee\"", PEOPLE),
            (&*manager, PEOPLE),
            ("userType pr", PEOPLE),
            ("userName eq \"boss@x.test\" or userType eq \"Employee\"", PEOPLE + 1),
        ] {
            let page = list(&carrier, ResourceKind::User, &[("filter", filter), ("count", "0")]).await;
            assert_eq!(page.total, total, "{filter}");
        }
        let sorted = [("filter", "userType eq \"Employee\""), ("sortBy", "userName"), ("sortOrder", "descending")];
        let page = list(&carrier, ResourceKind::User, &sorted).await;
        assert_eq!(page.resources[0].1.as_map()["userName"], format!("p{:04}@x.test", PEOPLE - 1));
        assert!(domain.cut_short() > 0, "the server never refused, so it proves nothing");
    }
}

#[tokio::test]
async fn a_group_shows_every_member() {
    let domain = company(MEMBERS);
    let members: Vec<String> = (0..MEMBERS).map(dn_of).collect();
    put_group(&domain, "all", &members);
    let carrier = plain(&domain, false).await;
    let page = list(&carrier, ResourceKind::Group, &[("filter", "displayName eq \"all\"")]).await;
    let (_, mut group) = page.resources.into_iter().next().unwrap();
    let mut alone = carrier.get(ResourceKind::Group, &id_of(&group), &Projection::default()).await.unwrap();
    for group in [&mut group, &mut alone] {
        group.unfold_members();
        assert_eq!(group.as_map()["members"].as_array().unwrap().len(), MEMBERS);
    }
}

#[tokio::test]
async fn everything_is_read_into_the_shadow() {
    for page_size in PAGE_SIZES {
        let domain = company(PEOPLE);
        put_group(&domain, "all", &(0..PEOPLE).map(dn_of).collect::<Vec<_>>());
        let carrier = paged(&domain, page_size).await;
        let dialect = Kind::ActiveDirectory.dialect();
        let shape = Arc::new(Shape::new("okta", "corp", &carrier.inner.mapping, dialect, true));
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(folder.path().join("store.db"));
        let store = Store::open(&StoreSettings { url }).await.unwrap();
        let read = shadow::fill(&carrier.inner.target, &store, &shape, &|_| {}).await.unwrap();
        assert_eq!(read, PEOPLE + 2);
        let space = shape.space.clone();
        let users = async move |session: Session| shadow::count(&session, &space, [ResourceKind::User]);
        assert_eq!(store.write(Durability::Soon, users).await.unwrap(), [PEOPLE + 1]);
    }
}

#[tokio::test]
async fn nobody_goes_on_naming_whom_thousands_named() {
    let domain = company(PEOPLE);
    let boss = [BOSS.to_owned()];
    (0..PEOPLE).for_each(|number| put_group(&domain, &format!("g{number:04}"), &boss));
    let carrier = plain(&domain, false).await;
    let page = list(&carrier, ResourceKind::User, &[("filter", "userName eq \"boss@x.test\"")]).await;
    let id = id_of(&page.resources[0].1);
    assert_eq!((domain.holders("manager", BOSS), domain.holders("member", BOSS)), (PEOPLE, PEOPLE));
    let action = Action::Delete { id };
    let intent = Intent { kind: ResourceKind::User, action, if_match: None, answer: true, origin: Origin::default() };
    carrier.apply(intent, &Earlier::default()).await.unwrap();
    assert_eq!((domain.holders("manager", BOSS), domain.holders("member", BOSS)), (0, 0));
    assert!(domain.cut_short() > 0, "the server never refused, so it proves nothing");
}
