//! Where frames can be watched, by the names people type.

use chronotap::{
    capture::{Interest, Interface, Selection},
    sim::{DirectionId, Endpoint, LinkId, Place, SwitchId, Way},
};

use super::{Link, Scenario};
use crate::topology::quote;
use crate::units::nearest;

/// Nothing is called so that frames pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NoSuchPoint {
    /// As typed.
    pub name: String,
    /// The name that looks most like it.
    pub nearest: Option<String>,
}

impl std::fmt::Display for NoSuchPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no port and no link {}", quote(&self.name))?;
        match &self.nearest {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

/// What is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Points {
    /// What guests send and receive, and whatever ends on the way.
    Ports,
    /// Every place.
    All,
    /// What these names mean.
    Named(Vec<String>),
}

impl Scenario {
    /// The places that are meant, and what is wanted of each.
    ///
    /// A guest means all of its ports, a port of a guest itself, a link or a switch's end of one
    /// both ways along it.
    ///
    /// # Errors
    /// A name that means none.
    pub fn select(&self, points: &Points) -> Result<Selection, NoSuchPoint> {
        let plan = self.plan();
        match points {
            Points::All => Ok(Selection::of_all(&plan, Interest::All)),
            Points::Ports => {
                let mut selection = Selection::of_all(&plan, Interest::Drops);
                self.ports().for_each(|(_, place)| selection.want(place, Interest::All));
                Ok(selection)
            }
            Points::Named(names) => {
                let mut selection = Selection::of_all(&plan, Interest::Nothing);
                for name in names {
                    let places = self.places_of(name)?;
                    places.into_iter().for_each(|place| selection.want(place, Interest::All));
                }
                Ok(selection)
            }
        }
    }

    /// The interfaces of a capture: the places of which anything is wanted, with their names.
    pub fn interfaces(&self, selection: &Selection) -> Vec<Interface> {
        let of_port = "out: what the guest sends; in: what it receives";
        let of_way = "in: what enters the link; out: what leaves it at the far end";
        let of_switch = "in: what ends at the switch";
        let ports = self.ports().map(|(name, place)| (name, place, of_port));
        let ways = self.links.iter().zip((0..).map(LinkId)).flat_map(|(link, id)| {
            Way::BOTH.map(|way| {
                (way_name(link, way), Place::Direction(DirectionId { link: id, way }), of_way)
            })
        });
        let switches = self.switches.iter().zip((0..).map(SwitchId));
        let switches =
            switches.map(|(switch, id)| (switch.name.to_string(), Place::Switch(id), of_switch));
        let all = ports.chain(ways).chain(switches);
        let wanted = all.filter(|(_, place, _)| selection.interest(*place) > Interest::Nothing);
        let interface = |(name, place, description): (String, Place, &str)| Interface {
            place: selection.index(place) as u32,
            name,
            description: description.to_owned(),
        };
        wanted.map(interface).collect()
    }

    fn ports(&self) -> impl Iterator<Item = (String, Place)> {
        let nics =
            self.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic)));
        nics.map(|(guest, nic)| (format!("{}:{}", guest.name, nic.name), Place::Port(nic.port)))
    }

    fn places_of(&self, name: &str) -> Result<Vec<Place>, NoSuchPoint> {
        let of_guest = |port: &str| {
            port == name || port.split_once(':').is_some_and(|(guest, _)| guest == name)
        };
        let ports: Vec<Place> =
            self.ports().filter(|(port, _)| of_guest(port)).map(|(_, place)| place).collect();
        if !ports.is_empty() {
            return Ok(ports);
        }
        if let Ok(found) = self.find_link(name) {
            let way = |way| Place::Direction(DirectionId { link: found.id, way });
            return Ok(Way::BOTH.map(way).into());
        }
        if let Some(index) = self.switches.iter().position(|switch| switch.name == *name) {
            return Ok(self.around(SwitchId(index as u32)));
        }
        let mut names: Vec<String> = self.ports().map(|(port, _)| port).collect();
        names.extend(self.links.iter().map(|link| link.label.clone()));
        let nearest = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        Err(NoSuchPoint { name: name.to_owned(), nearest })
    }

    /// A switch, and all links that end at it.
    fn around(&self, switch: SwitchId) -> Vec<Place> {
        let ends_here =
            |link: &Link| link.ends.iter().any(|end| end.endpoint == Endpoint::Switch(switch));
        let links = self.links.iter().zip((0..).map(LinkId)).filter(|(link, _)| ends_here(link));
        let ways = links
            .flat_map(|(_, link)| Way::BOTH.map(|way| Place::Direction(DirectionId { link, way })));
        ways.chain([Place::Switch(switch)]).collect()
    }
}

/// A link direction's name: `alice:eth0->bob:eth0`.
fn way_name(link: &Link, way: Way) -> String {
    let [a, b] = &link.ends;
    match way {
        Way::Forward => format!("{a}->{b}"),
        Way::Backward => format!("{b}->{a}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const STAR: &str = "[node.a]\n[node.b]\n[node.sw]\nkind = 'switch'\n\
        [[link]]\nendpoints = ['a:eth0', 'sw:p0']\n[[link]]\nendpoints = ['a:eth1', 'sw:p1']\n\
        [[link]]\nendpoints = ['b:eth0', 'sw:p2']\n";

    fn told(points: &Points) -> Result<String, String> {
        let scenario = Scenario::parse(STAR, Path::new("star.toml")).expect("a good file");
        let selection = scenario.select(points).map_err(|error| error.to_string())?;
        let names = scenario.interfaces(&selection).into_iter().map(|interface| interface.name);
        Ok(names.collect::<Vec<_>>().join(" "))
    }

    fn named(name: &str) -> Result<String, String> {
        told(&Points::Named(vec![name.to_owned()]))
    }

    #[test]
    fn names_mean_ports_guests_links_and_switches() {
        let of = |name| named(name).expect("known");
        assert_eq!(of("a:eth1"), "a:eth1");
        assert_eq!(of("a"), "a:eth0 a:eth1");
        assert_eq!(of("sw:p2"), "b:eth0->sw:p2 sw:p2->b:eth0");
        assert_eq!(of("sw:p2-b:eth0"), of("sw:p2"));
        assert_eq!(of("sw").split(' ').count(), 7);
    }

    #[test]
    fn all_is_every_place_and_ports_wants_drops_elsewhere() {
        assert_eq!(told(&Points::All).expect("all"), told(&Points::Ports).expect("ports"));
        let scenario = Scenario::parse(STAR, Path::new("star.toml")).expect("a good file");
        let selection = scenario.select(&Points::Ports).expect("ports");
        assert_eq!(selection.interest(Place::Switch(SwitchId(0))), Interest::Drops);
    }

    #[test]
    fn what_is_unknown_is_told_with_what_was_meant() {
        insta::assert_snapshot!(
            named("a:eth2").expect_err("unknown"),
            @"there is no port and no link `a:eth2`; did you mean `a:eth1`?"
        );
    }
}
