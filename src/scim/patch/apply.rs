//! Carrying out operations on a copy of the resource.

use serde_json::{Map, Value};

use super::{Op, Operation};
use crate::scim::fault::{Fault, FaultKind};
use crate::scim::filter::{Filter, Literal};
use crate::scim::path::{AttributePath, PatchPath};
use crate::scim::resource::{Resource, elements};
use crate::scim::schema::{Attribute, AttributeType, Mutability, ResourceSchema};

/// Carries out one operation in normal form. What a failure leaves behind is good for nothing.
pub(super) fn operation(resource: &mut Resource, operation: &Operation, schema: &ResourceSchema) -> Result<(), Fault> {
    match &operation.path {
        None => Ok(()),
        Some(PatchPath::Extension(urn)) => {
            resource.as_map_mut().shift_remove(urn);
            Ok(())
        }
        Some(PatchPath::Attribute { path, filter }) => {
            let Some(top) = schema.top(path) else { return Ok(()) };
            let sub = match &path.sub {
                None => None,
                Some(name) => match top.sub_attribute(name) {
                    None => return Ok(()),
                    found => found,
                },
            };
            let change = Change { op: operation.op, path, top, sub, value: operation.value.as_ref() };
            if top.multi_valued { change.on_list(resource, filter.as_ref()) } else { change.on_single(resource) }
        }
    }
}

/// Removes what an operation has left without a value, and makes one of elements that say the same by now. It is done
/// after the last one, because a client may set the type of a new element before its value.
pub(super) fn sweep(resource: &mut Resource, operation: &Operation, schema: &ResourceSchema) {
    let Some(PatchPath::Attribute { path, .. }) = &operation.path else { return };
    let Some(top) = schema.top(path) else { return };
    if let Some(Value::Array(list)) = resource.top_mut(path) {
        list.retain(|element| !elements::is_hollow(element, top));
        *list = elements::merged(std::mem::take(list), top);
        if list.is_empty() {
            resource.remove(&path.without_sub());
        }
    }
}

/// One operation on one attribute.
#[derive(Clone, Copy)]
struct Change<'a> {
    op: Op,
    path: &'a AttributePath,
    top: &'a Attribute,
    sub: Option<&'a Attribute>,
    value: Option<&'a Value>,
}

impl<'a> Change<'a> {
    fn on_single(self, resource: &mut Resource) -> Result<(), Fault> {
        match (self.sub, self.wanted()) {
            (sub, None) => {
                let parent = resource.top_mut(self.path).and_then(Value::as_object_mut);
                if let (Some(parent), Some(_)) = (parent, sub.filter(|sub| sub.name == "value")) {
                    elements::forget_derived(parent);
                }
                resource.remove(self.path);
            }
            (None, Some(value)) => match resource.top_mut(self.path) {
                Some(known) => {
                    check_immutable(self.path, self.top, known, value)?;
                    elements::merge(known, value.clone());
                }
                None => resource.set(self.path, value.clone()),
            },
            (Some(sub), Some(value)) => match resource.top_mut(self.path).and_then(Value::as_object_mut) {
                Some(members) => self.assign(members, sub, value)?,
                None => resource.set(self.path, value.clone()),
            },
        }
        Ok(())
    }

    fn on_list(self, resource: &mut Resource, filter: Option<&Filter>) -> Result<(), Fault> {
        let mut list = match resource.top_mut(self.path).map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(single) => vec![single],
        };
        match (filter, self.sub) {
            (None, None) => self.whole_list(&mut list),
            (None, Some(sub)) => self.unnamed_element(&mut list, sub)?,
            (Some(filter), _) => self.found_elements(&mut list, filter)?,
        }
        let top_path = self.path.without_sub();
        if list.is_empty() {
            resource.remove(&top_path);
        } else {
            resource.set(&top_path, Value::Array(list));
        }
        Ok(())
    }

    fn whole_list(self, list: &mut Vec<Value>) {
        let listed = match self.value {
            Some(Value::Array(listed)) => listed.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        match self.op {
            Op::Remove if self.value.is_none() => list.clear(),
            Op::Remove => elements::remove(list, listed, self.top),
            Op::Add => elements::absorb(list, listed.to_vec(), self.top),
            Op::Replace => *list = listed.to_vec(),
        }
    }

    /// A sub-attribute of a multi-valued attribute, without a word about which element: the only one, or the primary.
    fn unnamed_element(self, list: &mut Vec<Value>, sub: &Attribute) -> Result<(), Fault> {
        let Some(value) = self.wanted() else {
            Self::drop_part(list, sub, |_| true);
            return Ok(());
        };
        let at = match list.len() {
            0 => {
                list.push(Value::Object(Map::new()));
                Some(0)
            }
            1 => Some(0),
            _ => list.iter().position(elements::is_primary),
        };
        if let Some(members) = at.and_then(|at| list.get_mut(at)).and_then(Value::as_object_mut) {
            return self.assign(members, sub, value);
        }
        let (path, name) = (self.path.without_sub(), &sub.name);
        let detail = format!(
            "{path} has several values. Say which one to change by a filter, such as {path}[type eq \"work\"].{name}."
        );
        Err(Fault::new(FaultKind::NoTarget, detail))
    }

    /// The elements that a filter finds.
    fn found_elements(self, list: &mut Vec<Value>, filter: &Filter) -> Result<(), Fault> {
        let is_found = |element: &Value| filter.matches_element(element, self.top);
        let Some(value) = self.wanted() else {
            match self.sub {
                None => list.retain(|element| !is_found(element)),
                Some(sub) => Self::drop_part(list, sub, is_found),
            }
            return Ok(());
        };
        let mut changed = None;
        for (at, element) in list.iter_mut().enumerate().filter(|(_, element)| is_found(element)) {
            self.change_element(element, value)?;
            changed = Some(at);
        }
        let Some(changed) = changed else {
            let mut element = self.new_element(filter)?;
            self.change_element(&mut element, value)?;
            elements::absorb(list, vec![element], self.top);
            return Ok(());
        };
        if list.get(changed).is_some_and(elements::is_primary) {
            elements::keep_primary(list, changed);
        }
        *list = elements::merged(std::mem::take(list), self.top);
        Ok(())
    }

    fn change_element(self, element: &mut Value, value: &Value) -> Result<(), Fault> {
        match (self.sub, &mut *element) {
            (Some(sub), Value::Object(members)) => self.assign(members, sub, value),
            (Some(_), _) => Ok(()),
            (None, _) => {
                check_immutable(self.path, self.top, element, value)?;
                elements::merge(element, value.clone());
                Ok(())
            }
        }
    }

    /// The element that a filter describes, for want of one that it finds: Entra ID relies on
    /// `emails[type eq "work"].value` coming into being. A filter on the value itself describes none, because what it
    /// looked for (a member, for instance) is not there.
    fn new_element(self, filter: &Filter) -> Result<Value, Fault> {
        let described = |name: &str, literal: &Literal| {
            let known = self.top.sub_attribute(name).is_some_and(|sub| sub.mutability != Mutability::ReadOnly);
            known && name != "value" && *literal != Literal::Null
        };
        let parts = filter.simple_equalities().filter(|_| self.top.is_complex()).unwrap_or_default();
        if parts.is_empty() || !parts.iter().all(|(name, literal)| described(name, literal)) {
            let path = self.path.without_sub();
            let detail = format!("{path} has no value for which {filter} holds. Add the value first.");
            return Err(Fault::new(FaultKind::NoTarget, detail));
        }
        Ok(parts.into_iter().map(|(name, literal)| (name.to_owned(), literal.to_value())).collect())
    }

    /// Removes a sub-attribute from some elements.
    fn drop_part(list: &mut [Value], sub: &Attribute, is_found: impl Fn(&Value) -> bool) {
        for element in list.iter_mut().filter(|element| is_found(element)) {
            if let Value::Object(members) = element {
                members.shift_remove(&sub.name);
                if sub.name == "value" {
                    elements::forget_derived(members);
                }
            }
        }
    }

    fn assign(self, members: &mut Map<String, Value>, sub: &Attribute, value: &Value) -> Result<(), Fault> {
        match (members.get_mut(&sub.name), value) {
            (Some(Value::Array(known)), Value::Array(more)) if self.op == Op::Add => {
                elements::absorb(known, more.clone(), sub);
                return Ok(());
            }
            (Some(known), _) => {
                check_immutable(self.path, sub, known, value)?;
                if sub.name == "value" && known != value {
                    elements::forget_derived(members);
                }
            }
            (None, _) => {}
        }
        members.insert(sub.name.clone(), value.clone());
        Ok(())
    }

    /// The value to be there afterwards; none for a remove.
    fn wanted(self) -> Option<&'a Value> {
        self.value.filter(|_| self.op != Op::Remove)
    }
}

/// Refuses to change what must stay as it was first set (RFC 7643 section 2.2), in a value or in its parts. References
/// may change: clients write the same one in different ways.
fn check_immutable(path: &AttributePath, attribute: &Attribute, known: &Value, new: &Value) -> Result<(), Fault> {
    let is_fixed = attribute.mutability == Mutability::Immutable && attribute.kind != AttributeType::Reference;
    if is_fixed && !elements::equal(known, new, attribute.case_exact) {
        let detail = format!("{path} cannot be changed once it is set. Remove the old value and add the new one.");
        return Err(Fault::new(FaultKind::Mutability, detail));
    }
    let (Value::Object(known), Value::Object(new)) = (known, new) else { return Ok(()) };
    for sub in &attribute.sub_attributes {
        if let (Some(known), Some(new)) = (known.get(&sub.name), new.get(&sub.name)) {
            check_immutable(path, sub, known, new)?;
        }
    }
    Ok(())
}
