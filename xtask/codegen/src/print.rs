//! Writes file descriptors as `.proto` text: packages, services, messages, fields, numbers, enum values, and our own
//! comments. Options are not wire facts and are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};

use crate::comments::Comments;
use crate::tree::Files;
use crate::{Result, reflect};

/// Prints those of `files` that the services of [`reflect::SERVICES`] reach by the types that they mention.
pub(crate) fn print_files(files: &BTreeMap<String, FileDescriptorProto>, comments: &Comments) -> Result<Files> {
    let homes = homes_of_types(files);
    let mut unused: BTreeSet<&str> = comments.keys().map(String::as_str).collect();
    let mut printed = Files::new();
    for name in reached_files(files, &homes)? {
        let file = &files[name];
        let mut printer = Printer { text: String::new(), comments, unused: &mut unused };
        printer.file(file, &imports(file, &homes)?);
        printed.insert(name.to_owned(), printer.text);
    }
    match unused.first() {
        None => Ok(printed),
        Some(name) => Err(format!("proto/comments.txt comments on {name}, which the server does not have")),
    }
}

/// Full type name (with its leading dot) to the file that defines it.
fn homes_of_types(files: &BTreeMap<String, FileDescriptorProto>) -> BTreeMap<String, &str> {
    fn add<'a>(message: &DescriptorProto, scope: &str, file: &'a str, homes: &mut BTreeMap<String, &'a str>) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            add(nested, &name, file, homes);
        }
        for nested in &message.enum_type {
            homes.insert(format!("{name}.{}", nested.name()), file);
        }
        homes.insert(name, file);
    }
    let mut homes = BTreeMap::new();
    for (file_name, file) in files {
        let scope = format!(".{}", file.package());
        for message in &file.message_type {
            add(message, &scope, file_name, &mut homes);
        }
        for enumeration in &file.enum_type {
            homes.insert(format!("{scope}.{}", enumeration.name()), file_name);
        }
    }
    homes
}

/// The files that the services mention, directly or through others. Google's well-known types come with every compiler.
fn reached_files<'a>(
    files: &'a BTreeMap<String, FileDescriptorProto>,
    homes: &BTreeMap<String, &'a str>,
) -> Result<BTreeSet<&'a str>> {
    let mut pending: Vec<&str> = Vec::new();
    for service in reflect::SERVICES {
        let home = files.iter().find(|(_, file)| {
            file.service.iter().any(|found| format!("{}.{}", file.package(), found.name()) == service)
        });
        pending.push(home.ok_or_else(|| format!("the server does not describe {service}"))?.0);
    }
    let mut reached = BTreeSet::new();
    while let Some(name) = pending.pop() {
        if !reached.insert(name) {
            continue;
        }
        for import in imports(&files[name], homes)? {
            if !import.starts_with("google/protobuf/") {
                pending.push(files.get_key_value(import).ok_or_else(|| format!("{import} was not sent"))?.0);
            }
        }
    }
    Ok(reached)
}

/// The files of the types that `file` mentions, other than itself.
fn imports<'a>(file: &FileDescriptorProto, homes: &BTreeMap<String, &'a str>) -> Result<BTreeSet<&'a str>> {
    fn mentioned<'m>(message: &'m DescriptorProto, names: &mut BTreeSet<&'m str>) {
        names.extend(
            message.field.iter().filter(|field| field.type_name.is_some()).map(FieldDescriptorProto::type_name),
        );
        message.nested_type.iter().for_each(|nested| mentioned(nested, names));
    }
    let mut names = BTreeSet::new();
    file.message_type.iter().for_each(|message| mentioned(message, &mut names));
    for method in file.service.iter().flat_map(|service| &service.method) {
        names.extend([method.input_type(), method.output_type()]);
    }
    let mut imports = BTreeSet::new();
    for name in names {
        let home = homes.get(name).ok_or_else(|| format!("{}: {name} is defined nowhere", file.name()))?;
        if *home != file.name() {
            imports.insert(*home);
        }
    }
    Ok(imports)
}

struct Printer<'a, 'c> {
    text: String,
    comments: &'c Comments,
    unused: &'a mut BTreeSet<&'c str>,
}

impl Printer<'_, '_> {
    fn line(&mut self, depth: usize, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:width$}{line}", "", width = depth * 2);
    }

    fn comment(&mut self, depth: usize, full_name: &str) {
        let Some(comment) = self.comments.get(full_name) else { return };
        self.unused.remove(full_name);
        for line in textwrap(comment, 110 - depth * 2) {
            self.line(depth, format_args!("// {line}"));
        }
    }

    fn file(&mut self, file: &FileDescriptorProto, imports: &BTreeSet<&str>) {
        self.line(
            0,
            format_args!(
                "// Wire facts, derived by `cargo xtask codegen --from-server` from a Temporal Server's reflection."
            ),
        );
        self.line(0, format_args!("// Do not edit: comments are kept in proto/comments.txt."));
        self.line(0, format_args!("syntax = \"proto3\";"));
        self.line(0, format_args!(""));
        self.line(0, format_args!("package {};", file.package()));
        if !imports.is_empty() {
            self.line(0, format_args!(""));
            for import in imports {
                self.line(0, format_args!("import \"{import}\";"));
            }
        }
        for service in &file.service {
            self.service(service, file.package());
        }
        for message in &file.message_type {
            self.line(0, format_args!(""));
            self.message(0, message, file.package());
        }
        for enumeration in &file.enum_type {
            self.line(0, format_args!(""));
            self.enumeration(0, enumeration, file.package());
        }
    }

    fn service(&mut self, service: &ServiceDescriptorProto, package: &str) {
        let full_name = format!("{package}.{}", service.name());
        self.line(0, format_args!(""));
        self.comment(0, &full_name);
        self.line(0, format_args!("service {} {{", service.name()));
        for method in &service.method {
            self.comment(1, &format!("{full_name}.{}", method.name()));
            let stream = |streams: bool| if streams { "stream " } else { "" };
            self.line(
                1,
                format_args!(
                    "rpc {}({}{}) returns ({}{});",
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type(),
                ),
            );
        }
        self.line(0, format_args!("}}"));
    }

    fn message(&mut self, depth: usize, message: &DescriptorProto, scope: &str) {
        let full_name = format!("{scope}.{}", message.name());
        self.comment(depth, &full_name);
        self.line(depth, format_args!("message {} {{", message.name()));
        let ranges: Vec<String> = message
            .reserved_range
            .iter()
            .map(|range| match range.end() - 1 {
                last if last == range.start() => last.to_string(),
                last => format!("{} to {last}", range.start()),
            })
            .collect();
        if !ranges.is_empty() {
            self.line(depth + 1, format_args!("reserved {};", ranges.join(", ")));
        }
        let is_in_oneof = |field: &FieldDescriptorProto| field.oneof_index.is_some() && !field.proto3_optional();
        let mut printed_oneofs = BTreeSet::new();
        for field in &message.field {
            if !is_in_oneof(field) {
                self.field(depth + 1, field, message, &full_name);
            } else if printed_oneofs.insert(field.oneof_index()) {
                let name = message.oneof_decl[field.oneof_index() as usize].name();
                self.comment(depth + 1, &format!("{full_name}.{name}"));
                self.line(depth + 1, format_args!("oneof {name} {{"));
                for member in message.field.iter().filter(|other| is_in_oneof(other)) {
                    if member.oneof_index() == field.oneof_index() {
                        self.field(depth + 2, member, message, &full_name);
                    }
                }
                self.line(depth + 1, format_args!("}}"));
            }
        }
        for nested in message.nested_type.iter().filter(|nested| !is_map_entry(nested)) {
            self.message(depth + 1, nested, &full_name);
        }
        for nested in &message.enum_type {
            self.enumeration(depth + 1, nested, &full_name);
        }
        self.line(depth, format_args!("}}"));
    }

    fn field(&mut self, depth: usize, field: &FieldDescriptorProto, message: &DescriptorProto, scope: &str) {
        self.comment(depth, &format!("{scope}.{}", field.name()));
        let map_entry = message.nested_type.iter().find(|nested| {
            is_map_entry(nested) && field.type_name().ends_with(&format!(".{}.{}", message.name(), nested.name()))
        });
        let kind = match map_entry {
            Some(entry) => format!("map<{}, {}>", type_name(&entry.field[0]), type_name(&entry.field[1])),
            None if field.label() == Label::Repeated => format!("repeated {}", type_name(field)),
            None if field.proto3_optional() => format!("optional {}", type_name(field)),
            None => type_name(field),
        };
        self.line(depth, format_args!("{kind} {} = {};", field.name(), field.number()));
    }

    fn enumeration(&mut self, depth: usize, enumeration: &EnumDescriptorProto, scope: &str) {
        let full_name = format!("{scope}.{}", enumeration.name());
        self.comment(depth, &full_name);
        self.line(depth, format_args!("enum {} {{", enumeration.name()));
        if enumeration.options.as_ref().is_some_and(prost_types::EnumOptions::allow_alias) {
            self.line(depth + 1, format_args!("option allow_alias = true;"));
        }
        for value in &enumeration.value {
            self.comment(depth + 1, &format!("{full_name}.{}", value.name()));
            self.line(depth + 1, format_args!("{} = {};", value.name(), value.number()));
        }
        self.line(depth, format_args!("}}"));
    }
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

fn type_name(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => return field.type_name().to_owned(),
        Type::Group => "group",
        Type::Double => "double",
        Type::Float => "float",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Int32 => "int32",
        Type::Fixed64 => "fixed64",
        Type::Fixed32 => "fixed32",
        Type::Bool => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Uint32 => "uint32",
        Type::Sfixed32 => "sfixed32",
        Type::Sfixed64 => "sfixed64",
        Type::Sint32 => "sint32",
        Type::Sint64 => "sint64",
    }
    .to_owned()
}

/// Breaks a comment at spaces, so that no line is longer than `width` where that can be.
fn textwrap(comment: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in comment.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}
