//! Where the Payloads of a Workflow Task and of its answer are.
//!
//! An Update travels as a message within a message, which no map of Payloads can look into. So a task's Payloads are decoded
//! once it has been read, and those of its answer are encoded before the messages are packed.

use timewright_proto::temporal::api::update::v1::Request;
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;
use timewright_proto::{CollectPayloads, Message, PayloadSlot};
use timewright_protocol::workflow::{Query, TaskKind, UpdateBody, UpdateMessage, WorkflowTask};

/// A Workflow Task whose Payloads are decoded in place.
pub(crate) struct Incoming<'a>(pub(crate) &'a mut WorkflowTask);

impl CollectPayloads for Incoming<'_> {
    fn collect_payloads<'a>(&'a mut self, slots: &mut Vec<PayloadSlot<'a>>) {
        for event in &mut self.0.history.events {
            event.collect_payloads(slots);
        }
        match &mut self.0.kind {
            TaskKind::Progress { updates, queries, .. } => {
                let requests = updates.iter_mut().filter_map(|update| update.request.as_mut());
                requests.for_each(|request: &mut Request| request.collect_payloads(slots));
                queries.iter_mut().for_each(|query| collect_query(query, slots));
            }
            TaskKind::Query(query) => collect_query(query, slots),
            TaskKind::Replay => (),
        }
    }
}

fn collect_query<'a>(query: &'a mut Query, slots: &mut Vec<PayloadSlot<'a>>) {
    slots.push(PayloadSlot::Many(&mut query.input));
    query.header.collect_payloads(slots);
}

/// The answer to a Workflow Task, whose messages have not been packed.
pub(crate) struct Outgoing {
    pub(crate) request: RespondWorkflowTaskCompletedRequest,
    pub(crate) messages: Vec<UpdateMessage>,
}

impl CollectPayloads for Outgoing {
    fn collect_payloads<'a>(&'a mut self, slots: &mut Vec<PayloadSlot<'a>>) {
        self.request.collect_payloads(slots);
        for message in &mut self.messages {
            collect_body(&mut message.body, slots);
        }
    }
}

impl Outgoing {
    /// As it is sent. To be called once it has been encoded.
    pub(crate) fn into_request(self) -> RespondWorkflowTaskCompletedRequest {
        let messages = self.messages.into_iter().map(UpdateMessage::into_message).collect();
        RespondWorkflowTaskCompletedRequest { messages, ..self.request }
    }
}

/// The body of an Update's message.
pub(crate) struct Body<'a>(pub(crate) &'a mut UpdateBody);

impl CollectPayloads for Body<'_> {
    fn collect_payloads<'a>(&'a mut self, slots: &mut Vec<PayloadSlot<'a>>) {
        collect_body(self.0, slots);
    }
}

fn collect_body<'a>(body: &'a mut UpdateBody, slots: &mut Vec<PayloadSlot<'a>>) {
    match body {
        UpdateBody::Acceptance(body) => body.collect_payloads(slots),
        UpdateBody::Rejection(body) => body.collect_payloads(slots),
        UpdateBody::Response(body) => body.collect_payloads(slots),
    }
}

/// The bytes of all Payloads in a message.
pub(crate) fn payload_bytes(message: &mut impl CollectPayloads) -> usize {
    let mut slots = Vec::new();
    message.collect_payloads(&mut slots);
    slots
        .iter()
        .map(|slot| match slot {
            PayloadSlot::One(payload) => payload.encoded_len(),
            PayloadSlot::Many(payloads) => payloads.iter().map(Message::encoded_len).sum(),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use timewright_converter::{CodecError, DataConverter, Payload, PayloadCodec};
    use timewright_proto::common::Payloads;
    use timewright_proto::temporal::api::protocol::v1::Message as ProtocolMessage;
    use timewright_proto::temporal::api::update::v1::{Acceptance, Input, Outcome, Response, outcome};
    use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;
    use timewright_proto::{common, prost_types};

    use super::*;

    /// Turns each byte over.
    struct Inverting;

    impl PayloadCodec for Inverting {
        fn name(&self) -> &'static str {
            "inverting"
        }

        fn encode(
            &self,
            payloads: Vec<Payload>,
        ) -> timewright_converter::BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            Box::pin(async move { Ok(payloads.into_iter().map(inverted).collect()) })
        }

        fn decode(
            &self,
            payloads: Vec<Payload>,
        ) -> timewright_converter::BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            self.encode(payloads)
        }
    }

    fn inverted(payload: Payload) -> Payload {
        Payload { data: payload.data.iter().map(|byte| !byte).collect::<Vec<u8>>().into(), ..payload }
    }

    fn payload(text: &'static str) -> Payload {
        Payload { data: text.into(), ..Payload::default() }
    }

    fn request(argument: Payload) -> Request {
        let input = Input { args: Some(Payloads { payloads: vec![argument] }), ..Input::default() };
        Request { input: Some(input), ..Request::default() }
    }

    #[tokio::test]
    async fn codecs_reach_what_updates_carry() {
        let converter = DataConverter::default().with_codec(Inverting);
        let message = ProtocolMessage {
            body: Some(prost_types::Any {
                type_url: "type.googleapis.com/temporal.api.update.v1.Request".into(),
                value: request(inverted(payload("argument"))).encode_to_vec(),
            }),
            ..ProtocolMessage::default()
        };
        let response = PollWorkflowTaskQueueResponse {
            task_token: "token".into(),
            workflow_execution: Some(common::WorkflowExecution { run_id: "run".into(), ..Default::default() }),
            workflow_type: Some(common::WorkflowType::default()),
            messages: vec![message],
            ..PollWorkflowTaskQueueResponse::default()
        };
        let mut task = WorkflowTask::from_poll(response, Instant::now()).expect("a task").expect("not empty");
        converter.decode(&mut Incoming(&mut task)).await.expect("decoded");
        let TaskKind::Progress { updates, .. } = &task.kind else { panic!("{task:?}") };
        assert_eq!(updates[0].request, Some(request(payload("argument"))));

        let body = UpdateBody::Acceptance(Acceptance {
            accepted_request: Some(request(payload("argument"))),
            ..Acceptance::default()
        });
        let success = outcome::Value::Success(Payloads { payloads: vec![payload("result")] });
        let response = Response { outcome: Some(Outcome { value: Some(success) }), ..Response::default() };
        let to_message = |body| UpdateMessage { id: "m".into(), protocol_instance_id: "u".into(), body };
        let mut answer = Outgoing {
            request: RespondWorkflowTaskCompletedRequest::default(),
            messages: vec![to_message(body), to_message(UpdateBody::Response(response))],
        };
        converter.encode(&mut answer).await.expect("encoded");
        let sent = answer.into_request();
        let bodies: Vec<_> = sent.messages.iter().filter_map(|message| message.body.as_ref()).collect();
        let acceptance = Acceptance::decode(bodies[0].value.as_slice()).expect("an acceptance");
        assert_eq!(acceptance.accepted_request, Some(request(inverted(payload("argument")))));
        let response = Response::decode(bodies[1].value.as_slice()).expect("a response");
        let success = outcome::Value::Success(Payloads { payloads: vec![inverted(payload("result"))] });
        assert_eq!(response.outcome, Some(Outcome { value: Some(success) }));
    }
}
