//! Whole lives of people as Okta's custom apps, its catalogue apps and Entra ID tell them, with a group of two thousand.
//! After each step everything that the directory holds of these people is compared, read without the bridge.

mod clients;
mod people;

use crate::harness::Kind;
use crate::world::World;
use clients::{Client, Idp};
use futures_util::{StreamExt, stream};
use people::{Person, Team};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

on_every_directory! {
    people_join_change_leave_and_return_and_groups_of_two_thousand_are_pushed,
}

/// People whom others have made, so that only their membership is the clients' business.
const CROWD: usize = 2000;
/// How many of them are asked for at a time.
const SIDE_BY_SIDE: usize = 16;

/// The crowd: ids and DNs, in one order.
pub struct Crowd {
    ids: Vec<String>,
    dns: Vec<String>,
}

impl Crowd {
    async fn gather(world: &World) -> Self {
        let names: Vec<String> = (0..CROWD).map(|number| format!("crowd{number:04}")).collect();
        stream::iter(&names).for_each_concurrent(SIDE_BY_SIDE, |name| world.add_user(name, &[])).await;
        let found = world.raw.find(&world.people(), &format!("({}=crowd*)", world.facts().user_name)).await;
        assert_eq!(found.len(), CROWD);
        let ids = found.iter().map(|(_, entry)| world.kind.scim_id(entry)).collect();
        Self { ids, dns: found.into_iter().map(|(dn, _)| dn).collect() }
    }
}

async fn people_join_change_leave_and_return_and_groups_of_two_thousand_are_pushed(kind: Kind) {
    let world = World::on(kind, "lives").await;
    world.daemon.wait_for_log("the directory was read; an outage is invisible from now on");
    let crowd = Crowd::gather(&world).await;
    for client in Client::ALL {
        Life::new(&world, client).lived(&crowd).await;
    }
}

/// A reference that had to wait is an item of the queue until its end is noted: what comes meanwhile waits as well.
async fn nothing_is_owed(world: &World) {
    loop {
        let listed = world.daemon.command(&["queue", "list", "--json"]);
        let listed: Value =
            serde_json::from_slice(&listed.stdout).unwrap_or_else(|fault| panic!("{fault}: {listed:?}"));
        if listed["items"] == json!([]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ann and her manager, who was there before her; Bob and his, who came after him; and their team.
struct Life<'a> {
    world: &'a World,
    idp: Idp,
    ann: Person,
    ann_boss: Person,
    bob: Person,
    bob_boss: Person,
    team: Team,
}

impl<'a> Life<'a> {
    fn new(world: &'a World, client: Client) -> Self {
        let tag = client.tag();
        let (ann_boss, bob_boss) = (Person::new(tag, "Cleo", "King"), Person::new(tag, "Dora", "Dean"));
        let ann = Person { manager: Some(ann_boss.user_name.clone()), ..Person::new(tag, "Ann", "Lee") };
        let bob = Person { manager: Some(bob_boss.user_name.clone()), ..Person::new(tag, "Bob", "Ray") };
        Self { world, idp: Idp::new(world, client), ann, ann_boss, bob, bob_boss, team: Team::new(client) }
    }

    async fn lived(mut self, crowd: &Crowd) {
        let [ann, bob, ann_boss] = self.join().await;
        self.push(&[&ann, &bob], crowd).await;
        self.change(&ann).await;
        self.rename(&ann, &ann_boss).await;
        self.leave_and_return(&ann).await;
        self.leave_the_group(&bob, crowd).await;
    }

    /// What is to be there of these people, and nothing else.
    async fn holds(&self, people: &[&Person]) {
        people::hold(self.world, self.idp.tag(), people).await;
    }

    async fn holds_all(&self) {
        self.holds(&[&self.ann, &self.ann_boss, &self.bob, &self.bob_boss]).await;
    }

    /// Returns the ids of Ann, Bob and Ann's manager.
    async fn join(&self) -> [String; 3] {
        let ann_boss = self.idp.join(&self.ann_boss).await;
        let ann = self.idp.join(&self.ann).await;
        self.idp.set_manager(&ann, &ann_boss).await;
        let bob = self.idp.join(&self.bob).await;
        let alone = Person { manager: None, ..self.bob.clone() };
        self.holds(&[&self.ann, &self.ann_boss, &alone]).await;
        let bob_boss = self.idp.join(&self.bob_boss).await;
        self.idp.set_manager(&bob, &bob_boss).await;
        self.holds_all().await;
        nothing_is_owed(self.world).await;
        [ann, bob, ann_boss]
    }

    async fn push(&mut self, ids: &[&String], crowd: &Crowd) {
        let all: Vec<&String> = ids.iter().copied().chain(&crowd.ids).collect();
        self.team.id = self.idp.push(&self.team, &all).await;
        for person in [&mut self.ann, &mut self.bob] {
            person.groups = vec![self.team.name.clone()];
            person.was_member = true;
        }
        self.holds_all().await;
        self.team_holds(&[&self.ann, &self.bob], &crowd.dns).await;
    }

    async fn change(&mut self, id: &str) {
        let before = self.ann.clone();
        self.ann.title = "Head of Research";
        self.ann.department = "Engines";
        self.ann.mobile = Some("+1 555 0199");
        self.idp.update(id, &before, &self.ann).await;
        self.holds_all().await;
    }

    /// Somebody who is in a group, and somebody whom others have as their manager.
    async fn rename(&mut self, ann: &str, ann_boss: &str) {
        let before = self.ann.clone();
        self.ann.marry("Moon");
        self.idp.update(ann, &before, &self.ann).await;
        self.holds_all().await;
        let before = self.ann_boss.clone();
        self.ann_boss.marry("Queen");
        self.ann.manager = Some(self.ann_boss.user_name.clone());
        self.idp.update(ann_boss, &before, &self.ann_boss).await;
        self.holds_all().await;
    }

    async fn leave_and_return(&mut self, id: &str) {
        for active in [false, true] {
            self.idp.set_active(id, &self.ann, active).await;
            self.ann.active = active;
            // The memberships stay: nobody would send them again.
            self.holds_all().await;
        }
    }

    async fn leave_the_group(&mut self, bob: &String, crowd: &Crowd) {
        let half = crowd.ids.len() / 2;
        let leave: Vec<&String> = crowd.ids[..half].iter().chain([bob]).collect();
        let ann = self.idp.id_of(&self.ann).await;
        let stay: Vec<&String> = crowd.ids[half..].iter().chain([&ann]).collect();
        self.idp.take_out(&self.team, &leave, &stay).await;
        self.bob.groups.clear();
        self.holds_all().await;
        self.team_holds(&[&self.ann], &crowd.dns[half..]).await;
    }

    /// Who is in the group, by the group and by the crowd itself.
    async fn team_holds(&self, people: &[&Person], crowd: &[String]) {
        let dns: BTreeSet<String> = people.iter().map(|person| self.world.dn(&person.user_name)).collect();
        self.team.holds(self.world, &dns.into_iter().chain(crowd.iter().cloned()).collect()).await;
        let says = format!("(memberOf={})", self.world.group_dn(&self.team.name));
        let found = self.world.raw.find(&self.world.people(), &says).await;
        assert_eq!(found.len(), people.len() + crowd.len(), "{} by memberOf", self.team.name);
    }
}
