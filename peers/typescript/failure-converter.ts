/** Leaves stack traces out: they hold paths of the machine that records, and would be half of each file. */

import { DefaultFailureConverter, type PayloadConverter, type ProtoFailure } from '@temporalio/common';

class NoStackTraces extends DefaultFailureConverter {
  override errorToFailure(error: unknown, payloadConverter: PayloadConverter): ProtoFailure {
    return withoutStackTrace(super.errorToFailure(error, payloadConverter));
  }
}

function withoutStackTrace(failure: ProtoFailure): ProtoFailure {
  const cause = failure.cause ? withoutStackTrace(failure.cause) : failure.cause;
  return { ...failure, cause, stackTrace: '' };
}

export const failureConverter = new NoStackTraces();
