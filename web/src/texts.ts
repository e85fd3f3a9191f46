// Every word that the console shows, in one place, ready to be translated.
import type { Link } from "./feed/stream";

const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

export const t = {
  product: "Baton",
  skip: "Skip to the content",
  nav: "Main",
  queue: "Queue",
  sessions: "My sessions",
  help: "Keyboard",
  signOut: "Sign out",
  signIn: "Sign in",
  loading: "Loading …",
  tryAgain: "Try again",
  close: "Close",
  back: "Back to the queue",
  nothingHere: "There is nothing at this address.",
  anyone: "anyone",
  someone: "somebody",
  you: "you",

  title: (waiting: number, mine: number) => {
    const counts = [waiting > 0 ? String(waiting) : "", mine > 0 ? `${mine} mine` : ""].filter(Boolean).join(" · ");
    return counts ? `(${counts}) Baton` : "Baton";
  },

  signInPage: {
    lead: "Handoffs of troubleshooting sessions, picked up by exactly one.",
    oidc: "Sign in with your account",
    demo: "This is a demo. Choose who you want to be:",
    none: "Signing in here is not set up. An operator sets BATON_OIDC_CLIENT_ID and BATON_SECRET_KEYS; the API takes bearer tokens meanwhile.",
    failed: {
      expired: "Signing in took too long, or was begun in another window. Try again.",
      refused: "You were not signed in. Try again, or ask an admin.",
      unknown: "You are signed in, but no account knows you. Ask an admin of yours to invite you.",
      unavailable: "Signing in does not work at the moment. Try again soon.",
    } as Record<string, string>,
    ended: "Your session has ended. Sign in again.",
    viewer: "Your role lets you read nothing here yet: the queue is for engineers. Ask an admin.",
  },

  link: {
    state: (l: Link["state"]) =>
      ({
        connecting: "Connecting …",
        live: "Live",
        waiting: "Not live",
        signed_out: "Signed out",
        refused: "No access",
      })[l],
    waiting: (age: string, seconds: number) =>
      `Not live: what you see is as of ${age} ago. Trying again ${seconds > 0 ? `in ${seconds} s` : "now"}.`,
    stale: "The queue could not be read just now. It is tried again by itself.",
    now: "Try now",
    back: "Live again. Nothing was missed.",
    lost: "The connection is lost. Trying again by itself.",
  },

  filters: {
    label: "Filter the queue",
    search: "Search",
    searchHint: "Title, client, ticket, notes",
    intent: "Kind",
    priority: "Priority",
    sort: "Order",
    all: "All",
    clear: "Clear filters",
  },
  sorts: { priority: "Most urgent", due: "Due first", oldest: "Oldest", newest: "Newest" },
  intents: { park: "Parked", escalate: "Escalated" } as Record<string, string>,
  priorities: { critical: "Critical", high: "High", normal: "Normal", low: "Low" } as Record<string, string>,
  statuses: {
    queued: "Waiting",
    claimed: "Claimed",
    returned: "Returned",
    resolved: "Resolved",
    cancelled: "Cancelled",
  } as Record<string, string>,
  sessionStatuses: {
    active: "Active",
    parked: "Parked",
    escalated: "Escalated",
    resolved: "Resolved",
  } as Record<string, string>,

  list: {
    waiting: (n: number) => plural(n, "handoff waits", "handoffs wait"),
    shown: (shown: number, all: number) => `${shown} of ${all} shown`,
    empty: "Nothing waits. Well done.",
    emptyFiltered: "Nothing fits these filters.",
    mine: "My claims",
    noneMine: "You hold nothing.",
    sent: "Handed off by me",
    noneSent: "You have handed nothing off.",
    more: "Show more",
    forYou: "For you",
    target: (name: string) => `for ${name}`,
    from: (name: string) => `From ${name}`,
    waitingFor: (age: string) => `Waits ${age}`,
    heldFor: (name: string, age: string) => `${name} has had it for ${age}`,
    mineFor: (age: string) => `Yours for ${age}`,
    heldBy: (name: string) => `Claimed by ${name}`,
    again: (n: number) => `Queued ${n} times`,
    reserved: (name: string, time: string) => `Answered: reserved for ${name} until ${time}`,
    reservedForYou: (time: string) => `Answered: reserved for you until ${time}`,
    waitsForAnswer: (name: string) => `Returned: waits for ${name}`,
    asksYou: (name: string) => `${name} asks you`,
    wakes: (time: string) => `Due ${time}`,
  },

  claim: {
    do: "Claim",
    busy: "Claiming …",
    won: "It is yours.",
    lost: (name: string, age: string) => `Already claimed by ${name}, ${age}`,
    gone: "It was closed meanwhile.",
    reserved: (name: string, time: string) => `${name} asked its sender something: reserved for them until ${time}`,
    watch: "Watch",
    dismiss: "Dismiss",
    unknown:
      "Whether it is yours is not known yet, because the service did not answer. Claim again: it cannot count twice.",
  },

  live: {
    arrived: (priority: string, title: string, client: string) => `New in the queue, ${priority}: ${title}, ${client}`,
    arrivedMany: (n: number) => `${n} new handoffs in the queue`,
    claimed: (name: string, title: string) => `${name} claimed ${title}`,
    asks: (name: string, title: string) => `${name} asks you something about ${title}`,
  },

  ago: (s: number) => (s < 5 ? "just now" : `${age(s)} ago`),
  age,

  handoff: {
    by: (name: string, when: string) => `Handed off by ${name}, ${when}`,
    notes: "What the engineer says",
    briefing: "Briefing",
    briefingRules: "Written by rules from the session",
    briefingModel: (model: string) => `Written by rules and by ${model}; read its statements as suggestions`,
    briefingNone: "There is no briefing yet.",
    stale: (now: number, then: number) => `The session has ${now} steps, the briefing knows ${then} of them.`,
    renew: "Brief again",
    renewed: "A new briefing is being written.",
    documentation: "Ticket note",
    documentationNone: "The note is not written yet.",
    transcript: (n: number) => `Transcript, ${plural(n, "step", "steps")}`,
    timeline: "Timeline",
    ticket: "Ticket",
    noTicket: "The session has no ticket.",
    ticketState: (status: string, owner: string | null) => `${status}${owner ? `, owner ${owner}` : ""}`,
    background: "In the background",
    psaRetry: "Tell the ticket again",
    psaRetried: "The ticket is being told.",
    workflow: "Workflow in Temporal",
    resolution: "What solved it",
    held: (name: string, when: string) => `${name} works on it since ${when}`,
    heldByYou: "You hold this handoff.",
    ownEscalation: "You escalated this: a colleague has to claim it.",
    step: (n: number) => `Step ${n}`,
    notFound: "This handoff does not exist, or belongs to another account.",
    openTicket: "Open the ticket in the PSA",
  },

  effects: {
    documentation: "Ticket note",
    psa: "Ticket in the PSA",
    briefing: "Briefing",
  } as Record<string, string>,
  effectStates: {
    pending: "under way",
    retrying: "retrying",
    done: "done",
    failed: "failed",
    skipped: "not needed",
  } as Record<string, string>,
  nextTry: (time: string) => `next try at ${time}`,

  authors: { human: "Engineer", model: "Model", rules: "Rules", "": "" } as Record<string, string>,
  unsupported: "unsupported",
  unsupportedHint: "Nothing in the session was found that says so.",
  cites: "Steps",

  brief: {
    asked: "Asked",
    byWhen: (x: string) => `Until: ${x}`,
    wrong: "What is wrong",
    errors: "Last errors",
    impact: "Impact",
    workarounds: "Meanwhile they",
    careful: "Careful",
    tried: "Tried",
    ruledOut: "Ruled out",
    hypotheses: "Likely causes",
    confidence: { high: "likely", medium: "possible", low: "unlikely", "": "" } as Record<string, string>,
    nextTest: (x: string) => `Test: ${x}`,
    next: "Next steps",
    irreversible: "cannot be undone",
    approval: "needs approval",
    environment: "Environment",
    customer: "The customer",
    promised: "Promised",
    lastWord: "Said last",
    lastUpdate: "Was told last",
    unanswered: (n: number) => `${plural(n, "message", "messages")} unanswered`,
    open: "Open questions",
    complete: (n: number) => `The handoff tells ${n} % of what helps.`,
    reversed: { yes: "undone", no: "not undone", unknown: "maybe not undone", nothing_to_undo: "", "": "" } as Record<
      string,
      string
    >,
    useful: "Was it useful?",
    yes: "Yes",
    no: "No",
    whatWrong: "What was wrong with it?",
    sendWrong: "Send",
    thanks: "Thank you.",
  },
  outcomes: {
    worked: "worked",
    no_change: "no change",
    worse: "made it worse",
    inconclusive: "inconclusive",
    not_verified: "not verified",
  } as Record<string, string>,
  actors: { engineer: "Engineer", assistant: "Assistant", user: "Customer", system: "System" } as Record<
    string,
    string
  >,

  verbs: {
    create: "handed it off",
    claim: "claimed it",
    release: "put it back",
    reassign: "addressed it to somebody else",
    resolve: "resolved it",
    cancel: "took it back",
    return: "returned it with questions",
    answer: "answered",
  } as Record<string, string>,
  system: "Baton",

  actions: {
    label: "Actions",
    release: "Put back",
    reassign: "Reassign",
    resolve: "Resolve",
    cancel: "Take back",
    return: "Return with questions",
    answer: "Answer",
    releaseTitle: "Put it back into the queue",
    releaseNote: "Why, for whoever claims it next",
    reassignTitle: "Address it to a colleague",
    reassignTo: "Colleague",
    reassignNote: "Why, for your colleague",
    choose: "Choose …",
    resolveTitle: "Resolve it",
    resolveNote: "What solved it",
    cause: "How near was the briefing's likely cause?",
    causes: {
      "": "No answer",
      right: "It was right",
      one_step_short: "One step short",
      right_area: "The right area",
      wrong: "Wrong",
    } as Record<string, string>,
    cancelTitle: "Take it back",
    cancelNote: "Why, for the timeline",
    returnTitle: "Return it to its sender",
    returnNote: (name: string) => `What has ${name} to tell you?`,
    returnHint: "They have the session again until they answer. Then it is reserved for you for 30 minutes.",
    answerTitle: "Answer the questions",
    answerNote: "Your answer",
    answerHint: (name: string) => `It goes back into the queue, reserved for ${name} for 30 minutes.`,
    abort: "Not now",
    busy: "Working …",
  },

  sessionsPage: {
    lead: "The sessions that you work on. Hand one off and it is in your team's queue at once.",
    none: "You work on no session. They come from your troubleshooting assistant.",
    handOff: "Hand off",
    steps: (n: number) => plural(n, "step", "steps"),
    where: "See the handoff",
  },

  form: {
    title: (session: string) => `Hand off: ${session}`,
    intent: "What do you want?",
    escalate: "Escalate",
    escalateHint: "A colleague has to take over.",
    park: "Park",
    parkHint: "Put it down; anyone may pick it up, you too.",
    priority: "How urgent is it?",
    target: "Who is it for?",
    targetAnyone: "Anyone who can",
    targetHint: "They see it first; others may still claim it.",
    notes: "What does the next engineer have to know?",
    notesHint: "Begin with the one decision or action you want.",
    complete: (done: number, all: number) => `${done} of ${all} things that help are there`,
    checks: {
      ask: "What you want of them",
      problem: "What is wrong, as it shows",
      tried: "What you tried, and what it did",
      impact: "Whom it hits, and how badly",
      promise: "What the customer was told, and until when",
    } as Record<string, string>,
    missing: "missing",
    there: "there",
    secret:
      "This looks as if it holds a password or key. Tickets and models get it without, but colleagues would read it here.",
    send: "Hand off",
    sending: "Handing off …",
    sent: "Handed off.",
    sentTo: (names: string[]) =>
      names.length > 0
        ? `It is live in the queue of ${names.join(", ")}.`
        : "Nobody but you could claim it at the moment.",
    first: (name: string) => `${name} sees it first.`,
    ticket: (id: string) => `Ticket ${id} is told in the background.`,
    open: "Open the handoff",
    notYours: "Somebody else works on this session, or it is handed off already.",
  },

  // How long a handoff waits, and until when it should be claimed.
  wait: {
    of: (age: string, target: string) => `Waits ${age} of ${target}`,
    due: (age: string, time: string) => `Waits ${age}, due ${time}`,
    over: (age: string) => `Overdue by ${age}`,
  },

  exchange: {
    title: "Questions and answers",
    asks: (name: string) => `${name} asks`,
    answers: (name: string) => `${name} answers`,
    asksYou: (name: string) => `${name} needs an answer from you`,
    waits: (name: string) => `Returned to ${name}: it waits for the answer.`,
    lead: "The session is yours until you answer. You can add steps to it meanwhile.",
    reserved: (name: string, time: string) => `Reserved for ${name} until ${time}; then anyone may claim it.`,
    reservedForYou: (time: string) => `Reserved for you until ${time}; then anyone may claim it.`,
  },

  told: {
    title: "Who is told",
    nobody: "Nobody was told yet.",
    none: "Nobody had to be told.",
    list: (n: number) => plural(n, "message sent", "messages sent"),
    skipped: (n: number) => `${n} no longer needed`,
    held: (n: number, time: string) => `${n} held back until ${time}, to be told together`,
    pending: (n: number) => `${n} on the way`,
    channels: { email: "mail", slack: "Slack", teams: "Teams", webhook: "webhook" } as Record<string, string>,
    states: {
      pending: "is being told",
      held: "held back",
      retrying: "retrying",
      done: "told",
      failed: "failed",
      skipped: "not sent",
    } as Record<string, string>,
    kinds: {
      escalated: "escalated to them",
      parked: "parked",
      waiting: "still waits",
      woken: "is due",
      released: "put back",
      reassigned: "addressed to them",
      returned: "has questions",
      answered: "answered",
      lease_reminder: "still at it?",
      lease_asked: "still at it? Last call",
      taken_back: "went back to the queue",
    } as Record<string, string>,
    heldUntil: (time: string) => `until ${time}`,
    attempts: (n: number) => plural(n, "attempt", "attempts"),
    retry: "Try again",
    retryFor: (name: string, channel: string) => `Try again: ${name}, ${channel}`,
    retried: "It is being tried.",
    channel: "a channel",
    former: "somebody",
  },

  ladder: {
    title: "Who is called next",
    next: (what: string, time: string) => `${what}, at ${time}`,
    inTime: (age: string) => `in ${age}`,
    now: "now",
    spent: "Everybody was called, and it still waits.",
    begins: "It begins in a moment.",
    hours: (zone: string) => `Counted in working hours (${zone}).`,
    target: (time: string) => `Somebody should claim it by ${time}.`,
    parked: "It is parked: nobody is called by itself.",
    wakes: (time: string) => `It is due ${time}; its sender is told then.`,
    steps: "All steps",
    atOnce: "At once",
    after: (age: string) => `After ${age}`,
    who: {
      target: "whom it is for",
      team: "the team",
      admins: "the admins",
      sender: "its sender",
      user: "a colleague",
      endpoint: "a channel",
    } as Record<string, string>,
    again: (age: string, times: number) => `, again every ${age}, ${times} times`,
    lease: (time: string) => `The claim lasts until ${time} unless there is activity.`,
    leaseLeft: (age: string) => `Are you still at it? It goes back to the queue in ${age}.`,
    leaseOver: "It is being put back into the queue.",
    still: "I am still here",
    stillDone: "Good. It stays yours.",
  },

  presence: {
    looks: (names: string[]) =>
      names.length < 2
        ? `${names[0] ?? ""} is looking at this`
        : `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are looking at this`,
    more: (n: number) => `+${n}`,
  },

  alerts: {
    open: "Alerts",
    title: "When something new may be claimed",
    sound: "Play a sound",
    desktop: "Show a desktop notification",
    note: "For this browser, once for all of its tabs.",
    denied: "This browser does not allow notifications from here. Its settings for this site can change that.",
    missing: "This browser has no notifications here.",
    test: "Try it",
    testTitle: "This is how it looks",
    newCard: (title: string, client: string) => `${title} · ${client}`,
  },

  wake: {
    label: "When is it due?",
    never: "Not by itself",
    hour: "In an hour",
    hours: "In four hours",
    morning: "Tomorrow at 8",
    morningSoon: "Today at 8",
    at: "At a time of mine",
    atLabel: "Time",
    hint: "You are told then, if nobody has picked it up.",
  },

  keys: {
    title: "Keyboard",
    on: "Single keys are on",
    list: [
      ["j / ↓", "Next card"],
      ["k / ↑", "Previous card"],
      ["c", "Claim the card, or the open handoff"],
      ["Enter", "Open the card"],
      ["/", "Search"],
      ["q", "To the queue"],
      ["s", "To my sessions"],
      ["e", "Resolve the open handoff"],
      ["a", "Answer the questions of the open handoff"],
      ["b", "To the briefing"],
      ["?", "This help"],
      ["Esc", "Close, or leave the search"],
    ] as [string, string][],
  },

  errors: {
    unreachable: "The service cannot be reached. Nothing is lost; try again.",
    unavailable: "A part of the service is down, and nothing was done. Try again.",
    outcome_unknown: "It may have been done. Try again: it cannot count twice.",
    unauthenticated: "Your session has ended. Sign in again.",
  } as Record<string, string>,
  error: (detail: string, request: string) => (request ? `${detail} (request ${request})` : detail),
};

/** How long, in words short enough for a card. */
function age(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) {
    const m = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${m ? ` ${m} min` : ""}`;
  }
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
