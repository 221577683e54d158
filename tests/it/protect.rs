//! Entries that a tenant may read but never write, and that nothing outside its bases can be reached at all: read back
//! from the directory itself.

use crate::harness::{Config, Kind, Server, Slapd};
use crate::world::{ENTERPRISE, USER, World, okta_user, patch, run_with};
use serde_json::{Value, json};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

const PROTECT: &str = r#"protect = [
  "uid=listed,ou=people,{base_dn}",
  "ou=directors,ou=people,{base_dn}",
  "cn=wheel,ou=groups,{base_dn}",
  "cn=auditors,ou=groups,{base_dn}",
  "cn=root,ou=groups,{base_dn}",
  "(&(businessCategory=vip)(objectClass=inetOrgPerson))",
  "(&(objectClass=groupOfNames)(businessCategory=frozen))",
]"#;

/// Who is protected, where, and what the refusal says about why.
const PROTECTED: [(&str, &str, &str); 6] = [
    ("listed", "", "it is listed there"),
    ("director", "ou=directors,", "it lies below ou=directors,"),
    ("wheelie", "", "it is a member of cn=wheel,"),
    ("auditor", "", "it is a member of cn=auditors,"),
    ("rooted", "", "it is a member of cn=root,"),
    ("vip", "", "it matches (&(businessCategory=vip)"),
];

impl World {
    async fn guarded(name: &str) -> Self {
        let world = Self::with(name, |config| config.tenant(PROTECT)).await;
        let people = world.people();
        world.raw.add(&format!("ou=directors,{people}"), &[("objectClass", &["organizationalUnit"])]).await;
        for (uid, place, _) in PROTECTED.into_iter().chain([("ada", "", "")]) {
            let category: &[&str] = if uid == "vip" { &["vip"] } else { &["plain"] };
            world
                .raw
                .add(
                    &format!("uid={uid},{place}{people}"),
                    &[
                        ("objectClass", &["inetOrgPerson"]),
                        ("cn", &[uid]),
                        ("sn", &["Before"]),
                        ("businessCategory", category),
                    ],
                )
                .await;
        }
        let groups = format!("ou=groups,{}", world.base);
        let member = |uid: &str| format!("uid={uid},{people}");
        let wheel: [(&str, &[&str]); 2] = [("objectClass", &["groupOfNames"]), ("member", &[&member("wheelie")])];
        world.raw.add(&format!("cn=wheel,{groups}"), &wheel).await;
        let auditors: [(&str, &[&str]); 2] =
            [("objectClass", &["groupOfUniqueNames"]), ("uniqueMember", &[&member("auditor")])];
        world.raw.add(&format!("cn=auditors,{groups}"), &auditors).await;
        let root: [(&str, &[&str]); 3] =
            [("objectClass", &["posixGroup"]), ("gidNumber", &["0"]), ("memberUid", &["rooted"])];
        world.raw.add(&format!("cn=root,{groups}"), &root).await;
        world
    }

    async fn id_of(&self, filter: &str) -> String {
        self.raw.find_one(&self.base, filter).await.1["entryUUID"][0].clone()
    }

    async fn everything(&self) -> Vec<(String, crate::harness::Attributes)> {
        self.raw.find(&self.base, "(objectClass=*)").await
    }

    async fn new_group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        let created = self.scim.post("/Groups", &body).await;
        created.expect(201);
        created.id()
    }
}

fn add(id: &str) -> Value {
    patch(&json!([{"op": "add", "path": "members", "value": [{"value": id}]}]))
}

fn remove(id: &str) -> Value {
    patch(&json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]))
}

#[tokio::test]
async fn protected_users_are_read_and_no_request_changes_them() {
    let world = World::guarded("protect-users").await;
    for (uid, _, why) in PROTECTED {
        let path = format!("/Users/{}", world.id_of(&format!("(uid={uid})")).await);
        assert_eq!(world.scim.get(&path).await.expect(200)["userName"], uid);
        assert_eq!(world.scim.search("/Users", &format!("userName eq \"{uid}\"")).await.total(), 1);
        let before = world.everything().await;
        let set = |value: Value| patch(&json!([{"op": "replace", "value": value}]));
        for answer in [
            world.scim.put(&path, &okta_user(uid, "New", "Name")).await,
            world.scim.patch(&path, &set(json!({"title": "Boss"}))).await,
            world.scim.patch(&path, &set(json!({"active": false}))).await,
            world.scim.patch(&path, &set(json!({"userName": "renamed"}))).await,
            world.scim.delete(&path).await,
        ] {
            let detail = answer.expect_error(403, "");
            assert!(detail.contains(&format!("uid={uid},")) && detail.contains(why), "{uid}: {detail}");
            assert!(detail.contains("(protect)") && detail.contains("Nothing was changed"), "{detail}");
        }
        assert_eq!(world.everything().await, before, "{uid} was written");
    }
}

#[tokio::test]
async fn what_no_line_covers_is_written_as_ever_and_what_changes_nothing_is_no_write() {
    let world = World::guarded("protect-others").await;
    let path = format!("/Users/{}", world.id_of("(uid=ada)").await);
    let title = patch(&json!([{"op": "replace", "path": "title", "value": "Countess"}]));
    world.scim.patch(&path, &title).await.expect(200);
    assert_eq!(world.user("ada").await["title"], ["Countess"]);
    world.scim.delete(&path).await.expect(204);
    let vip = format!("/Users/{}", world.id_of("(uid=vip)").await);
    let same = patch(&json!([{"op": "replace", "value": {"name": {"familyName": "Before"}}}]));
    assert_eq!(world.scim.patch(&vip, &same).await.expect(200)["name"]["familyName"], "Before");
}

#[tokio::test]
async fn the_members_of_a_protected_group_stay_and_a_protected_user_may_join_another_one() {
    let world = World::guarded("protect-groups").await;
    let ada = world.id_of("(uid=ada)").await;
    let wheelie = world.id_of("(uid=wheelie)").await;
    let wheel = format!("/Groups/{}", world.id_of("(cn=wheel)").await);
    let before = world.everything().await;
    let reset = patch(&json!([{"op": "replace", "path": "members", "value": [{"value": ada}]}]));
    let put = json!({"schemas": [GROUP], "displayName": "wheel", "members": []});
    let name = patch(&json!([{"op": "replace", "path": "displayName", "value": "wheels"}]));
    for answer in [
        world.scim.patch(&wheel, &add(&ada)).await,
        world.scim.patch(&wheel, &remove(&wheelie)).await,
        world.scim.patch(&wheel, &reset).await,
        world.scim.put(&wheel, &put).await,
        world.scim.patch(&wheel, &name).await,
        world.scim.delete(&wheel).await,
    ] {
        assert!(answer.expect_error(403, "").contains("it is listed there"));
    }
    assert_eq!(world.everything().await, before);

    let team = world.new_group("team", &[&ada]).await;
    world.scim.patch(&format!("/Groups/{team}"), &add(&wheelie)).await.expect(204);
    let members = world.raw.find_one(&world.base, "(cn=team)").await.1["member"].clone();
    let people = world.people();
    assert_eq!(members, [format!("uid=ada,{people}"), format!("uid=wheelie,{people}")]);
}

#[tokio::test]
async fn a_group_whose_place_is_remembered_is_asked_again_at_every_change() {
    let world = World::guarded("protect-fast").await;
    let (ada, vip) = (world.id_of("(uid=ada)").await, world.id_of("(uid=vip)").await);
    let team = format!("/Groups/{}", world.new_group("team", &[&ada]).await);
    world.scim.patch(&team, &add(&vip)).await.expect(204);
    let dn = format!("cn=team,ou=groups,{}", world.base);
    world.raw.replace(&dn, "businessCategory", &["frozen"]).await;
    let detail = world.scim.patch(&team, &remove(&vip)).await.expect_error(403, "").to_owned();
    assert!(detail.contains("it matches (&(objectClass=groupOfNames)(businessCategory=frozen))"), "{detail}");
    world.raw.replace(&dn, "businessCategory", &[]).await;
    world.scim.patch(&team, &remove(&vip)).await.expect(204);
    // A group in a protected group is as good as that.
    world.raw.add_values(&format!("cn=wheel,ou=groups,{}", world.base), "member", &[&dn]).await;
    let detail = world.scim.patch(&team, &add(&vip)).await.expect_error(403, "").to_owned();
    assert!(detail.contains("it is a member of cn=wheel,"), "{detail}");
    assert_eq!(world.raw.find_one(&world.base, "(cn=team)").await.1["member"].len(), 1);
}

#[tokio::test]
async fn nothing_is_made_or_moved_below_a_protected_container() {
    let table = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let at = r#"base = "ou=people,{base_dn}""#;
    let template = r#"base = "ou={{ enterprise.department }},ou=people,{base_dn}""#;
    assert!(table.contains(at));
    let table = table.replace(at, template);
    let world = World::with("protect-places", |config| {
        config.mapping_text(&table).tenant(r#"protect = ["ou=board,ou=people,{base_dn}"]"#)
    })
    .await;
    for ou in ["board", "staff"] {
        let unit: [(&str, &[&str]); 1] = [("objectClass", &["organizationalUnit"])];
        world.raw.add(&format!("ou={ou},{}", world.people()), &unit).await;
    }
    let person = |unit: &str| json!({"userName": "ada", ENTERPRISE: {"department": unit}, "schemas": [USER]});
    let detail = world.scim.post("/Users", &person("Board")).await.expect_error(403, "").to_owned();
    assert!(detail.contains("it lies below ou=board,ou=people,"), "{detail}");
    world.scim.post("/Users", &person("staff")).await.expect(201);
    assert_eq!(world.raw.find(&world.people(), "(uid=ada)").await.len(), 1);
}

#[tokio::test]
async fn tidying_after_a_leaver_leaves_protected_entries_as_they_are_and_says_so() {
    // No server keeps this reference by itself.
    let table = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let table = table.replace(r#"ldap = "manager""#, r#"ldap = "secretary""#);
    let world = World::with("protect-tidy", |config| {
        config.mapping_text(&table).tenant(r#"protect = ["(businessCategory=vip)"]"#)
    })
    .await;
    let people = world.people();
    let leaver = world.scim.post("/Users", &okta_user("leaver", "Le", "Aver")).await.id();
    let dn = format!("uid=leaver,{people}");
    for (uid, category) in [("vip", "vip"), ("other", "plain")] {
        world.scim.post("/Users", &okta_user(uid, "A", "B")).await.expect(201);
        let own = format!("uid={uid},{people}");
        world.raw.replace(&own, "secretary", &[&dn]).await;
        world.raw.replace(&own, "businessCategory", &[category]).await;
    }
    world.scim.delete(&format!("/Users/{leaver}")).await.expect(204);
    assert_eq!(world.user("vip").await["secretary"], [dn]);
    assert!(!world.user("other").await.contains_key("secretary"));
    world.daemon.wait_for_log("a protected entry still names an entry by its old name");
}

#[tokio::test]
async fn explain_refuses_what_the_daemon_refuses() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("protect-explain").await;
    let lines = r#"protect = ["(businessCategory=vip)", "ou=groups,{base_dn}"]"#;
    let config = Config::for_slapd(slapd, &base).tenant(lines);
    let world = World::before(slapd, base.clone(), |_| config.clone()).await;
    let id = world.scim.post("/Users", &okta_user("vip", "A", "B")).await.id();
    world.raw.replace(&format!("uid=vip,{}", world.people()), "businessCategory", &["vip"]).await;
    let title = patch(&json!([{"op": "replace", "path": "title", "value": "Boss"}])).to_string();
    let group = json!({"schemas": [GROUP], "displayName": "team"}).to_string();
    for (body, arguments, why) in [
        (title.as_str(), vec!["-", "--method", "PATCH", "--id", &id], "it matches (businessCategory=vip)"),
        ("", vec!["--method", "DELETE", "--id", &id], "it matches (businessCategory=vip)"),
        (&group, vec!["-"], "it lies below ou=groups,"),
    ] {
        let ran = run_with(&config, &[vec!["explain"], arguments].concat(), &[], body);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        let refused = ran.out.split_once("refused: ").unwrap_or_else(|| panic!("{}", ran.out)).1;
        assert!(refused.contains(why) && refused.contains("(protect)"), "{refused}");
    }
}

#[tokio::test]
async fn no_id_member_or_reference_reaches_an_entry_outside_the_bases() {
    let slapd = Slapd::shared();
    let outside = World::new("outside-theirs").await;
    let world = World::before(slapd, slapd.suffix("outside-ours").await, |config| config).await;
    let stranger = outside.scim.post("/Users", &okta_user("stranger", "A", "B")).await.id();
    let club = outside.new_group("club", &[&stranger]).await;
    let ada = world.scim.post("/Users", &okta_user("ada", "A", "B")).await.id();
    let team = world.new_group("team", &[&ada]).await;
    let before = outside.everything().await;

    for path in [format!("/Users/{stranger}"), format!("/Groups/{club}")] {
        let body = if path.contains("Users") { okta_user("x", "A", "B") } else { json!({"displayName": "x"}) };
        let change = patch(&json!([{"op": "replace", "path": "displayName", "value": "x"}]));
        world.scim.get(&path).await.expect_error(404, "");
        world.scim.put(&path, &body).await.expect_error(404, "");
        world.scim.patch(&path, &change).await.expect_error(404, "");
        world.scim.delete(&path).await.expect_error(404, "");
    }
    world.scim.patch(&format!("/Groups/{club}"), &add(&ada)).await.expect_error(404, "");
    world.scim.patch(&format!("/Groups/{team}"), &add(&stranger)).await.expect_error(400, "invalidValue");
    let manager = patch(&json!([{"op": "add", "value": {format!("{ENTERPRISE}:manager"): {"value": stranger}}}]));
    world.scim.patch(&format!("/Users/{ada}"), &manager).await.expect(200);
    assert!(!world.user("ada").await.contains_key("manager"));
    assert_eq!(world.scim.search("/Users", "userName eq \"stranger\"").await.total(), 0);
    assert_eq!(outside.everything().await, before);
}

#[tokio::test]
async fn check_tells_what_each_line_covers_and_names_those_that_cover_nothing() {
    let world = World::guarded("protect-check").await;
    let slapd = Slapd::shared();
    let more = PROTECT.replace("\n]", "\n  \"cn=gone,ou=groups,{base_dn}\",\n  \"(businessCategory=none)\",\n]");
    let ran = run_with(&Config::for_slapd(slapd, &world.base).tenant(&more), &["check"], &[], "");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let base = &world.base;
    for (severity, what) in [
        ("note", format!("uid=listed,ou=people,{base} keeps 1 entries")),
        ("note", format!("ou=directors,ou=people,{base} keeps 1 entries")),
        // The group itself and its member.
        ("note", format!("cn=wheel,ou=groups,{base} keeps 2 entries")),
        // The shipped table takes this group for none of its own.
        ("note", format!("cn=auditors,ou=groups,{base} keeps 1 entries")),
        ("note", format!("cn=root,ou=groups,{base} keeps 1 entries")),
        ("note", "(&(businessCategory=vip)(objectClass=inetOrgPerson)) keeps 1 entries".to_owned()),
        ("warning", "no entry that this tenant could write matches (&(objectClass=groupOfNames)".to_owned()),
        ("warning", format!("the directory has no entry cn=gone,ou=groups,{base}")),
        ("warning", "no entry that this tenant could write matches (businessCategory=none)".to_owned()),
    ] {
        let found = ran.out.lines().find(|line| line.contains(&what));
        let found = found.unwrap_or_else(|| panic!("no {what:?} in:\n{}", ran.out));
        assert!(found.starts_with(&format!("{severity}: DIR/scim2ldap.toml:")), "{found}");
        assert!(found.contains("tenant okta, protect: "), "{found}");
    }
}

/// The account that the world is served by has a base of its own; the lines name groups in it.
async fn active_directory(name: &str, lines: &str) -> (Server, World) {
    let samba = Server::own(Kind::ActiveDirectory);
    let base = samba.suffix(name).await;
    let world = World::before(&samba, base, |config| config.tenant(lines)).await;
    (samba, world)
}

const AD_LINES: &str = r#"protect = [
  "CN=Operators,CN=Users,{base_dn}",
  "CN=Domain Admins,CN=Users,DC=example,DC=test",
  "(&(adminCount=1)(objectClass=user))",
]"#;

#[tokio::test]
async fn active_directory_tells_nested_members_and_primary_groups() {
    let (_samba, world) = active_directory("protect-ad", AD_LINES).await;
    let raw = &world.raw;
    let container = format!("CN=Users,{}", world.base);
    let group = async |name: &str| {
        let dn = format!("CN={name},{container}");
        raw.add(&dn, &[("objectClass", &["group"]), ("sAMAccountName", &[name])]).await;
        dn
    };
    let operators = group("Operators").await;
    let inner = group("Inner").await;
    raw.add_values(&operators, "member", &[&inner]).await;
    let mut ids = Vec::new();
    for uid in ["nested", "primary", "admin", "plain"] {
        let created = world.scim.post("/Users", &okta_user(&format!("{uid}@example.test"), "A", uid)).await;
        created.expect(201);
        ids.push(created.id());
    }
    let dn = async |uid: &str| raw.find_one(&container, &format!("(userPrincipalName={uid}@example.test)")).await.0;
    raw.add_values(&inner, "member", &[&dn("nested").await]).await;
    let domain_admins = "CN=Domain Admins,CN=Users,DC=example,DC=test";
    let primary = dn("primary").await;
    raw.add_values(domain_admins, "member", &[&primary]).await;
    raw.replace(&primary, "primaryGroupID", &["512"]).await;
    let groups = raw.entry(&primary).await.unwrap().remove("memberOf").unwrap_or_default();
    assert!(!groups.contains(&domain_admins.to_owned()), "it is a member by the number only");
    raw.replace(&dn("admin").await, "adminCount", &["1"]).await;

    let title = patch(&json!([{"op": "replace", "path": "title", "value": "Boss"}]));
    for (id, why) in ids.iter().zip([
        "it is a member of CN=Operators,",
        "it is a member of CN=Domain Admins,",
        "it matches (&(adminCount=1)",
    ]) {
        for answer in
            [world.scim.patch(&format!("/Users/{id}"), &title).await, world.scim.delete(&format!("/Users/{id}")).await]
        {
            let detail = answer.expect_error(403, "");
            assert!(detail.contains(why), "{detail}");
        }
    }
    world.scim.patch(&format!("/Users/{}", ids[3]), &title).await.expect(200);
    assert_eq!(raw.find(&container, "(title=*)").await.len(), 1);
    // A group in a protected group: who joins it would be in the protected one.
    let inner_id = world.scim.search("/Groups", "displayName eq \"Inner\"").await.resources()[0]["id"].clone();
    let path = format!("/Groups/{}", inner_id.as_str().unwrap());
    let detail = world.scim.patch(&path, &add(&ids[3])).await.expect_error(403, "").to_owned();
    assert!(detail.contains("it is a member of CN=Operators,"), "{detail}");
}

#[tokio::test]
async fn check_counts_nested_members_and_primary_groups_of_active_directory() {
    let (samba, world) = active_directory("protect-ad-check", "").await;
    let container = format!("CN=Users,{}", world.base);
    for name in ["Operators", "Inner"] {
        let group: [(&str, &[&str]); 2] = [("objectClass", &["group"]), ("sAMAccountName", &[name])];
        world.raw.add(&format!("CN={name},{container}"), &group).await;
    }
    world.scim.post("/Users", &okta_user("nested@example.test", "A", "B")).await.expect(201);
    let nested = world.raw.find_one(&container, "(userPrincipalName=nested@example.test)").await.0;
    world.raw.add_values(&format!("CN=Inner,{container}"), "member", &[&nested]).await;
    world.raw.add_values(&format!("CN=Operators,{container}"), "member", &[&format!("CN=Inner,{container}")]).await;
    let ran = run_with(&Config::for_server(&samba, &world.base).tenant(AD_LINES), &["check"], &[], "");
    // The group itself, the group in it, and that one's member.
    assert!(ran.out.contains(&format!("CN=Operators,{container} keeps 3 entries")), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("CN=Domain Admins,CN=Users,DC=example,DC=test keeps 0 entries"), "{}", ran.out);
    assert!(ran.out.contains("no entry that this tenant could write matches (&(adminCount=1)"), "{}", ran.out);
}

#[tokio::test]
async fn members_of_members_are_told_by_389_directory_server() {
    let server = Server::own(Kind::Ds389);
    let base = server.suffix("protect-389").await;
    let line = r#"protect = ["cn=wheel,ou=groups,{base_dn}"]"#;
    let world = World::before(&server, base, |config| config.tenant(line)).await;
    let groups = format!("ou=groups,{}", world.base);
    let id = world.scim.post("/Users", &okta_user("ada", "A", "B")).await.id();
    let ada = format!("uid=ada,{}", world.people());
    world.raw.add(&format!("cn=inner,{groups}"), &[("objectClass", &["groupOfNames"]), ("member", &[&ada])]).await;
    let inner = format!("cn=inner,{groups}");
    world.raw.add(&format!("cn=wheel,{groups}"), &[("objectClass", &["groupOfNames"]), ("member", &[&inner])]).await;
    let title = patch(&json!([{"op": "replace", "path": "title", "value": "Boss"}]));
    let detail = world.scim.patch(&format!("/Users/{id}"), &title).await.expect_error(403, "").to_owned();
    assert!(detail.contains("it is a member of cn=wheel,"), "{detail}");
}
