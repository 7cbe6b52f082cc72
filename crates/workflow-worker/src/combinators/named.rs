//! A few futures, written down one by one: macros, since each may have a type of its own.

/// Waits for the first of several futures, and goes on with what stands behind its arrow. Of several that are ready at once, the
/// one that is written first counts, always, so that a replay decides the same.
///
/// Each branch is `pattern = future => what to do`, with `, if condition` behind the future where it does not always count; its
/// future is not even made where the condition is false. `default => what to do`, as the last, is for when none is ready now.
/// Up to 16 branches.
///
/// All futures are dropped before the arm runs. **That cancels nothing**: hand in `&mut handle` to keep what is to be awaited or
/// cancelled later.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::sync::Receiver;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
/// # struct Ship; impl ActivityDefinition for Ship { const NAME: &'static str = "ship"; type Input = (); type Output = String; }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>, notes: Receiver<String>) -> Result<String, WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// use timewright_workflow_worker::select;
///
/// let mut shipping = context.execute_activity(Ship, (), options);
/// let mut reminder = context.sleep(Duration::from_secs(86_400));
/// let mut is_reminded = false;
/// loop {
///     select! {
///         shipped = &mut shipping => return Ok(shipped?),
///         note = notes.receive() => drop(note),
///         fired = &mut reminder, if !is_reminded => {
///             fired?;
///             is_reminded = true;
///         }
///     }
/// }
/// # }
/// ```
///
/// # Panics
/// If no condition holds, and there is no `default`: that fails the Workflow Task.
#[macro_export]
macro_rules! select {
    ($($branches:tt)+) => {
        $crate::__select! {
            @branches []
            [
                (f0 o0 0) (f1 o1 1) (f2 o2 2) (f3 o3 3) (f4 o4 4) (f5 o5 5) (f6 o6 6) (f7 o7 7)
                (f8 o8 8) (f9 o9 9) (f10 o10 10) (f11 o11 11) (f12 o12 12) (f13 o13 13) (f14 o14 14) (f15 o15 15)
            ]
            $($branches)+
        }
    };
}

/// What [`select!`] is made of: takes branch by branch, and gives each names of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // The end.
    (@branches [$($branch:tt)*] [$($names:tt)*]) => {
        $crate::__select! { @expand [$($branch)*] [] }
    };
    (@branches [$($branch:tt)*] [$($names:tt)*] default => $body:expr $(,)?) => {
        $crate::__select! { @expand [$($branch)*] [$body] }
    };
    (@branches [$($branch:tt)*] []  $($rest:tt)+) => {
        ::core::compile_error!("select! takes up to 16 branches; use race() for more")
    };
    // A block needs no comma behind it.
    (@branches [$($branch:tt)*] [($future:ident $output:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expression:expr, if $condition:expr => $body:block $(, $($rest:tt)*)?
    ) => {
        $crate::__select! {
            @branches [$($branch)* ($future $output $index [$pattern] [$expression] [$condition] [$body])] [$($names)*] $($($rest)*)?
        }
    };
    (@branches [$($branch:tt)*] [($future:ident $output:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expression:expr, if $condition:expr => $body:block $($rest:tt)*
    ) => {
        $crate::__select! {
            @branches [$($branch)* ($future $output $index [$pattern] [$expression] [$condition] [$body])] [$($names)*] $($rest)*
        }
    };
    (@branches [$($branch:tt)*] [($future:ident $output:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expression:expr, if $condition:expr => $body:expr $(, $($rest:tt)*)?
    ) => {
        $crate::__select! {
            @branches [$($branch)* ($future $output $index [$pattern] [$expression] [$condition] [$body])] [$($names)*] $($($rest)*)?
        }
    };
    (@branches [$($branch:tt)*] [($future:ident $output:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expression:expr => $body:block $(, $($rest:tt)*)?
    ) => {
        $crate::__select! {
            @branches [$($branch)* ($future $output $index [$pattern] [$expression] [true] [$body])] [$($names)*] $($($rest)*)?
        }
    };
    (@branches [$($branch:tt)*] [($future:ident $output:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expression:expr => $body:block $($rest:tt)*
    ) => {
        $crate::__select! {
            @branches [$($branch)* ($future $output $index [$pattern] [$expression] [true] [$body])] [$($names)*] $($rest)*
        }
    };
    (@branches [$($branch:tt)*] [($future:ident $output:ident $index:literal) $($names:tt)*]
        $pattern:pat = $expression:expr => $body:expr $(, $($rest:tt)*)?
    ) => {
        $crate::__select! {
            @branches [$($branch)* ($future $output $index [$pattern] [$expression] [true] [$body])] [$($names)*] $($($rest)*)?
        }
    };
    (@expand
        [$(($future:ident $output:ident $index:literal [$pattern:pat] [$expression:expr] [$condition:expr] [$body:expr]))*]
        [$($default:expr)?]
    ) => {{
        $(let mut $output = ::core::option::Option::None;)*
        #[allow(unused_mut, clippy::let_and_return)]
        let winner: ::core::option::Option<u8> = {
            $(
                let mut $future = ::core::pin::pin!(
                    if $condition {
                        ::core::option::Option::Some(::core::future::IntoFuture::into_future($expression))
                    } else {
                        ::core::option::Option::None
                    }
                );
            )*
            let winner = ::core::future::poll_fn(|task: &mut ::core::task::Context<'_>| {
                let mut is_any_enabled = false;
                $(
                    if let ::core::option::Option::Some(future) = $future.as_mut().as_pin_mut() {
                        is_any_enabled = true;
                        if let ::core::task::Poll::Ready(output) = ::core::future::Future::poll(future, task) {
                            $output = ::core::option::Option::Some(output);
                            return ::core::task::Poll::Ready(::core::option::Option::Some($index));
                        }
                    }
                )*
                $crate::__select!(@default is_any_enabled $([$default])?)
            })
            .await;
            winner
        };
        match winner {
            $(
                ::core::option::Option::Some($index) => {
                    let ::core::option::Option::Some(output) = $output else {
                        ::core::unreachable!("who wins has an output")
                    };
                    let $pattern = output;
                    $body
                }
            )*
            _ => $crate::__select!(@otherwise $([$default])?),
        }
    }};
    (@default $is_any_enabled:ident) => {{
        ::core::assert!(
            $is_any_enabled,
            "select!: no condition holds, so there is nothing to wait for; add a `default` branch"
        );
        ::core::task::Poll::Pending
    }};
    (@default $is_any_enabled:ident [$default:expr]) => {{
        let _ = $is_any_enabled;
        ::core::task::Poll::Ready(::core::option::Option::None)
    }};
    (@otherwise) => {
        ::core::unreachable!("one of the branches has won")
    };
    (@otherwise [$default:expr]) => {
        $default
    };
}

/// Waits for all of several futures; gives what they gave as a tuple. Up to 16. They are polled in the order in which they are
/// written.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
/// # struct Charge; impl ActivityDefinition for Charge { const NAME: &'static str = "charge"; type Input = (); type Output = u64; }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// use timewright_workflow_worker::join;
///
/// let (charged, slept) = join!(context.execute_activity(Charge, (), options), context.sleep(Duration::from_secs(60)));
/// # let _ = (charged?, slept?); Ok(()) }
/// ```
#[macro_export]
macro_rules! join {
    ($($future:expr),+ $(,)?) => {
        $crate::__join! {
            @names [join] [] [
                (f0 o0) (f1 o1) (f2 o2) (f3 o3) (f4 o4) (f5 o5) (f6 o6) (f7 o7)
                (f8 o8) (f9 o9) (f10 o10) (f11 o11) (f12 o12) (f13 o13) (f14 o14) (f15 o15)
            ] $([$future])+
        }
    };
}

/// Waits for all of several futures, or for the first that fails; gives a tuple of what they gave. Of several that fail at once,
/// the one that is written first counts. The others go on. Up to 16.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// use timewright_workflow_worker::try_join;
///
/// try_join!(context.sleep(Duration::from_secs(60)), context.wait_condition(|_| true))?;
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! try_join {
    ($($future:expr),+ $(,)?) => {
        $crate::__join! {
            @names [try_join] [] [
                (f0 o0) (f1 o1) (f2 o2) (f3 o3) (f4 o4) (f5 o5) (f6 o6) (f7 o7)
                (f8 o8) (f9 o9) (f10 o10) (f11 o11) (f12 o12) (f13 o13) (f14 o14) (f15 o15)
            ] $([$future])+
        }
    };
}

/// What [`join!`] and [`try_join!`] are made of: gives each future names of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    (@names [$kind:ident] [$($named:tt)*] [$($names:tt)*]) => {
        $crate::__join! { @$kind $($named)* }
    };
    (@names [$kind:ident] [$($named:tt)*] [] $($rest:tt)+) => {
        ::core::compile_error!("join! and try_join! take up to 16 futures; use join_all() or try_join_all() for more")
    };
    (@names [$kind:ident] [$($named:tt)*] [($future:ident $output:ident) $($names:tt)*] [$expression:expr] $($rest:tt)*) => {
        $crate::__join! { @names [$kind] [$($named)* ($future $output $expression)] [$($names)*] $($rest)* }
    };
    (@join $(($future:ident $output:ident $expression:expr))+) => {{
        $(let mut $future = ::core::pin::pin!(::core::future::IntoFuture::into_future($expression));)+
        $(let mut $output = ::core::option::Option::None;)+
        ::core::future::poll_fn(|task: &mut ::core::task::Context<'_>| {
            let mut is_pending = false;
            $(
                if $output.is_none() {
                    match ::core::future::Future::poll($future.as_mut(), task) {
                        ::core::task::Poll::Ready(output) => $output = ::core::option::Option::Some(output),
                        ::core::task::Poll::Pending => is_pending = true,
                    }
                }
            )+
            if is_pending {
                return ::core::task::Poll::Pending;
            }
            ::core::task::Poll::Ready(($(
                match $output.take() {
                    ::core::option::Option::Some(output) => output,
                    ::core::option::Option::None => ::core::unreachable!("what is not pending has an output"),
                },
            )+))
        })
        .await
    }};
    (@try_join $(($future:ident $output:ident $expression:expr))+) => {{
        $(let mut $future = ::core::pin::pin!(::core::future::IntoFuture::into_future($expression));)+
        $(let mut $output = ::core::option::Option::None;)+
        ::core::future::poll_fn(|task: &mut ::core::task::Context<'_>| {
            let mut is_pending = false;
            $(
                if $output.is_none() {
                    match ::core::future::Future::poll($future.as_mut(), task) {
                        ::core::task::Poll::Ready(::core::result::Result::Ok(output)) => {
                            $output = ::core::option::Option::Some(output);
                        }
                        ::core::task::Poll::Ready(::core::result::Result::Err(error)) => {
                            return ::core::task::Poll::Ready(::core::result::Result::Err(error));
                        }
                        ::core::task::Poll::Pending => is_pending = true,
                    }
                }
            )+
            if is_pending {
                return ::core::task::Poll::Pending;
            }
            ::core::task::Poll::Ready(::core::result::Result::Ok(($(
                match $output.take() {
                    ::core::option::Option::Some(output) => output,
                    ::core::option::Option::None => ::core::unreachable!("what is not pending has an output"),
                },
            )+)))
        })
        .await
    }};
}
