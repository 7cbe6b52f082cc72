//! The map of where Payloads are: for each message that can hold a Payload, code which finds them all.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use crate::Result;

const PAYLOAD: &str = ".temporal.api.common.v1.Payload";
const PAYLOADS: &str = ".temporal.api.common.v1.Payloads";
/// The server must read search attributes, so no codec may touch them.
const SEARCH_ATTRIBUTES: &str = ".temporal.api.common.v1.SearchAttributes";
/// What SDKs and tools put into headers for themselves stays in the clear.
const HEADER: &str = ".temporal.api.common.v1.Header";
/// Markers: what an SDK notes in their details for itself stays in the clear.
const MARKERS: [&str; 2] = [
    ".temporal.api.command.v1.RecordMarkerCommandAttributes",
    ".temporal.api.history.v1.MarkerRecordedEventAttributes",
];

struct Message<'a> {
    descriptor: &'a DescriptorProto,
    rust_path: String,
    /// Where the oneof enums of this message live.
    module: String,
}

/// The text of `payloads.rs`.
pub(crate) fn generate(descriptors: &FileDescriptorSet) -> Result<String> {
    let mut messages = BTreeMap::new();
    for file in descriptors.file.iter().filter(|file| file.package() != "google.protobuf") {
        let module = file.package().split('.').fold("crate".to_owned(), |path, part| format!("{path}::{part}"));
        for message in &file.message_type {
            add(message, &format!(".{}", file.package()), &module, &mut messages);
        }
    }
    let holders = holders(&messages);
    let mut text = String::from("use crate::payloads::{CollectPayloads, PayloadSlot};\n");
    for name in &holders {
        text.push_str(&implementation(name, &messages, &holders)?);
    }
    Ok(text)
}

fn add<'a>(message: &'a DescriptorProto, scope: &str, module: &str, messages: &mut BTreeMap<String, Message<'a>>) {
    let name = format!("{scope}.{}", message.name());
    let inner = format!("{module}::{}", identifier(&message.name().to_snake_case()));
    for nested in &message.nested_type {
        add(nested, &name, &inner, messages);
    }
    let rust_path = format!("{module}::{}", message.name().to_upper_camel_case());
    messages.insert(name, Message { descriptor: message, rust_path, module: inner });
}

/// The messages from which a Payload can be reached, those that *are* Payloads left out.
fn holders(messages: &BTreeMap<String, Message<'_>>) -> BTreeSet<String> {
    let mut holders: BTreeSet<String> = [PAYLOAD.to_owned(), PAYLOADS.to_owned()].into();
    loop {
        let before = holders.len();
        for (name, message) in messages {
            if name != SEARCH_ATTRIBUTES
                && message.descriptor.field.iter().any(|field| holders.contains(field.type_name()))
            {
                holders.insert(name.clone());
            }
        }
        if holders.len() == before {
            break;
        }
    }
    // A map's entry is no Rust type: its owner iterates over the values.
    holders.retain(|name| name != PAYLOAD && !is_map_entry(messages[name].descriptor));
    holders
}

fn implementation(
    message_name: &str,
    messages: &BTreeMap<String, Message<'_>>,
    holders: &BTreeSet<String>,
) -> Result<String> {
    let message = &messages[message_name];
    let mut body = String::new();
    let mut oneofs: BTreeMap<i32, String> = BTreeMap::new();
    for field in &message.descriptor.field {
        let kind = field.type_name();
        let name = identifier(&field.name().to_snake_case());
        let entry = messages.get(kind).filter(|target| is_map_entry(target.descriptor));
        if let Some(entry) = entry {
            let value = entry.descriptor.field[1].type_name();
            if name == "details" && MARKERS.contains(&message_name) {
                body.push_str(
                    "crate::payloads::collect_marker_details(&self.marker_name, &mut self.details, slots);\n",
                );
            } else if message_name == HEADER {
                body.push_str("crate::payloads::collect_header_fields(&mut self.fields, slots);\n");
            } else if value == PAYLOAD {
                body.push_str(&format!("slots.extend(self.{name}.values_mut().map(PayloadSlot::One));\n"));
            } else if holders.contains(value) {
                body.push_str(&format!("for value in self.{name}.values_mut() {{ value.collect_payloads(slots); }}\n"));
            }
        } else if kind != PAYLOAD && !holders.contains(kind) {
        } else if is_in_oneof(field) {
            let enumeration = message.descriptor.oneof_decl[field.oneof_index() as usize].name();
            let variant = format!(
                "{}::{}::{}",
                message.module,
                enumeration.to_upper_camel_case(),
                field.name().to_upper_camel_case()
            );
            let action =
                if kind == PAYLOAD { "slots.push(PayloadSlot::One(value))" } else { "value.collect_payloads(slots)" };
            oneofs.entry(field.oneof_index()).or_default().push_str(&format!("Some({variant}(value)) => {action},\n"));
        } else {
            match (kind == PAYLOAD, field.label() == Label::Repeated) {
                (true, true) => body.push_str(&format!("slots.push(PayloadSlot::Many(&mut self.{name}));\n")),
                (true, false) => body.push_str(&format!("slots.extend(self.{name}.as_mut().map(PayloadSlot::One));\n")),
                (false, true) => {
                    body.push_str(&format!("for value in &mut self.{name} {{ value.collect_payloads(slots); }}\n"))
                }
                (false, false) => body
                    .push_str(&format!("if let Some(value) = &mut self.{name} {{ value.collect_payloads(slots); }}\n")),
            }
        }
    }
    for (index, arms) in oneofs {
        let name = identifier(&message.descriptor.oneof_decl[index as usize].name().to_snake_case());
        body.push_str(&format!("match &mut self.{name} {{ {arms} _ => (), }}\n"));
    }
    Ok(format!(
        "impl CollectPayloads for {} {{ fn collect_payloads<'a>(&'a mut self, slots: &mut Vec<PayloadSlot<'a>>) {{ {body} }} }}\n",
        message.rust_path,
    ))
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

fn is_in_oneof(field: &FieldDescriptorProto) -> bool {
    field.oneof_index.is_some() && !field.proto3_optional()
}

/// As prost writes it: a keyword becomes a raw identifier.
fn identifier(name: &str) -> String {
    if syn::parse_str::<syn::Ident>(name).is_ok() { name.to_owned() } else { format!("r#{name}") }
}
