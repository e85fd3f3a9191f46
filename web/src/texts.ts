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
  lazy: "This page could not be loaded. Perhaps Baton was just updated.",
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

  reports: "Reports",
  reportsPage: {
    lead: "How long handoffs waited for somebody, when they came, and what became of them.",
    range: "Time",
    last: (days: number) => `${days} days`,
    own: "Other days",
    from: "From",
    to: "To",
    zone: "Time zone",
    csv: "CSV",
    csvOf: (what: string) => `${what} as CSV`,
    table: "Show as table",
    tableOf: (what: string) => `Table: ${what}`,
    forAdmins: "Reports are for admins.",
    none: "Nothing was handed off in this time.",
    noneClaimed: "Nothing was claimed in this time.",
    noneTarget: "Nothing in this time had a target.",
    noneBriefed: "Nothing was briefed in this time.",
    noneSent: "Nobody was notified in this time.",
    hint: "Arrow keys walk through the values.",
    figures: "In short",
    now: "Waiting now",
    nowNone: "nobody waits",
    oldest: (age: string) => `the oldest for ${age}`,
    median: "Median time to claim",
    medianOf: (n: number) => `of ${plural(n, "claim", "claims")}`,
    p90: "9 of 10 claimed within",
    within: "Within target",
    withinOf: (within: number, all: number) => `${within} of ${all}`,
    noTarget: "nothing had a target",
    time: "Time to claim",
    timeLead:
      "By the day on which the handoff began to wait. Half were claimed faster than the median, and 9 of 10 faster than the upper line.",
    lines: { median: "Median", p90: "9 of 10" },
    share: "Within target",
    shareLead: "Which part of each day's handoffs was claimed in time. Days without a target are left out.",
    volume: "Handoffs a day",
    volumeLead: "How often one was put into the queue.",
    hours: "Handoffs by hour",
    hoursLead: "When handoffs come, by day of the week and hour.",
    busiest: (hour: string, n: number) => `Busiest: ${hour}, ${plural(n, "handoff", "handoffs")}.`,
    fewer: "fewer",
    more: "more",
    weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    handoffs: (n: number) => plural(n, "handoff", "handoffs"),
    tellTime: (day: string, median: string | null, p90: string | null, claimed: number) =>
      median === null
        ? `${day}: nothing claimed`
        : `${day}: median ${median}, 9 of 10 within ${p90}, ${plural(claimed, "claim", "claims")}`,
    tellShare: (day: string, share: string | null, within: number, all: number) =>
      share === null ? `${day}: nothing had a target` : `${day}: ${share}, ${within} of ${all}`,
    tellCount: (what: string, n: number) => `${what}: ${plural(n, "handoff", "handoffs")}`,
    groups: { priority: "By priority", team: "By team", engineer: "By engineer" } as Record<string, string>,
    groupLeads: { priority: "", team: "", engineer: "Who claimed." } as Record<string, string>,
    of: { priority: "Priority", team: "Team", engineer: "Engineer", day: "Day", hour: "Hour" } as Record<
      string,
      string
    >,
    columns: {
      waits: "Handoffs",
      claimed: "Claimed",
      resolved: "Resolved",
      median: "Median",
      p90: "9 of 10",
      within: "Within target",
      open: "Still open",
    },
    briefings: "Briefings",
    briefingsLead: "What claimers said of them. A handoff counts with its newest briefing.",
    briefingColumns: {
      by: "Written by",
      prompt: "Prompt",
      briefings: "Briefings",
      useful: "Useful",
      cause: "Likely cause",
      unusable: "Unusable answers",
      cost: "Cost",
      latency: "Answer time",
    },
    rules: "Rules",
    causeOf: (score: number, n: number) => `${Math.round(score)} of 100 (${plural(n, "grade", "grades")})`,
    deliveries: "Notifications",
    deliveriesLead: "By the channel over which people were told.",
    channel: "Channel",
    channels: { email: "Email", slack: "Slack", teams: "Teams", webhook: "Webhook" } as Record<string, string>,
    states: {
      done: "Sent",
      pending: "Under way",
      held: "Held back",
      retrying: "Retrying",
      failed: "Failed",
      skipped: "Not needed",
    } as Record<string, string>,
    sentAfter: "Median until sent",
    unknown: "–",
  },
  percent: (share: number) => `${Math.round(share * 100)} %`,
  dollars: (usd: number) => `$${usd.toFixed(usd > 0 && usd < 0.01 ? 4 : 2)}`,
  duration,
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
      ["Ctrl+Enter", "Save the form"],
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

/** How long, as precise as a report has to be. */
function duration(seconds: number): string {
  const parts = (most: number, unit: string, least: number, small: string) => {
    const n = Math.round(seconds / least) * least;
    const rest = Math.round((n % most) / least);
    return `${Math.floor(n / most)} ${unit}${rest ? ` ${rest} ${small}` : ""}`;
  };
  if (seconds > 0 && seconds < 0.5) return "< 1 s";
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  if (seconds < 600) return parts(60, "min", 1, "s");
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_370) return parts(3600, "h", 60, "min");
  return parts(86_400, "d", 3600, "h");
}

const list = (parts: string[], last = "and") =>
  parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} ${last} ${parts.at(-1)}`;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A length of time in full, of two units at most. */
function inFull(seconds: number): string {
  const d = Math.floor(seconds / 86_400);
  const h = Math.floor((seconds % 86_400) / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = seconds % 60;
  const said = [d ? plural(d, "day", "days") : "", h ? `${h} h` : "", m ? `${m} min` : "", s ? `${s} s` : ""];
  return said.filter(Boolean).slice(0, 2).join(" ") || "0 s";
}

/** A day as people write it where they are. */
const dateOf = (iso: string) => new Date(iso).toLocaleDateString([], { dateStyle: "medium" });

const kinds = { email: "E-mail", slack: "Slack", teams: "Teams", webhook: "Webhook" } as const;
const kindsInText = { email: "e-mail", slack: "Slack", teams: "Teams", webhook: "webhook" } as const;
type Kind = keyof typeof kinds;
const over = (channels: readonly string[]) => list(channels.map((c) => kindsInText[c as Kind] ?? c));

interface StepWords {
  after_seconds?: number;
  to: { who: string; user_id?: string | null; endpoint_id?: string | null; channels?: string[] | null }[];
  repeat_every_seconds?: number;
  repeat_times?: number;
}
interface NamesOf {
  user: (id: string) => string;
  channel: (id: string) => string;
}

const calls: Record<string, string> = {
  target: "whom it is for",
  team: "the whole team",
  admins: "the admins",
  sender: "its sender",
};

function audience(a: StepWords["to"][number], names: NamesOf): string {
  const who =
    a.who === "user"
      ? names.user(a.user_id ?? "")
      : a.who === "endpoint"
        ? names.channel(a.endpoint_id ?? "")
        : (calls[a.who] ?? a.who);
  return a.channels?.length ? `${who} by ${over(a.channels)}` : who;
}

/** A step of a ladder as a sentence: "After 10 min: the admins by e-mail and Slack; then every 2 min, 4 times." */
function stepSentence(step: StepWords, next: StepWords | undefined, names: NamesOf): string {
  const after = step.after_seconds ?? 0;
  const when = after === 0 ? "At once" : `After ${inFull(after)}`;
  const whom = step.to.length > 0 ? list(step.to.map((a) => audience(a, names))) : "nobody";
  const every = step.repeat_every_seconds ?? 0;
  const wanted = every > 0 ? (step.repeat_times ?? 0) : 0;
  const room = next ? Math.ceil(((next.after_seconds ?? 0) - after) / every) - 1 : wanted;
  const times = Math.max(0, Math.min(wanted, room));
  if (times === 0) return `${when}: ${whom}.`;
  const again = times === 1 ? `once more ${inFull(every)} later` : `every ${inFull(every)}, ${times} times`;
  return `${when}: ${whom}; then ${again}${times < wanted ? ", until the next step" : ""}.`;
}

const dayNames = { mon: "Mon", tue: "Tue", wed: "Wed", thu: "Thu", fri: "Fri", sat: "Sat", sun: "Sun" } as const;
const dayOrder = Object.keys(dayNames) as (keyof typeof dayNames)[];

/** Days of a week, those in a row as one: "Mon to Fri and Sun". */
function daysInWords(days: readonly string[]): string {
  const runs: (keyof typeof dayNames)[][] = [];
  for (const [n, d] of dayOrder.entries()) {
    if (!days.includes(d)) continue;
    const last = runs.at(-1);
    if (last && last.at(-1) === dayOrder[n - 1]) last.push(d);
    else runs.push([d]);
  }
  return list(
    runs.flatMap((r) =>
      r.length > 2
        ? [`${dayNames[r[0] as "mon"]} to ${dayNames[r.at(-1) as "mon"]}`]
        : r.map((d) => dayNames[d] as string),
    ),
  );
}

interface HoursWords {
  zone?: string;
  week?: { days: string[]; from: string; to: string }[] | null;
  holidays?: string[] | null;
}

const windows = (week: { days: string[]; from: string; to: string }[]) =>
  week.map((x) => `${daysInWords(x.days) || "no day"} ${x.from} to ${x.to}`).join("; ");

function hoursSentence(h: HoursWords): string {
  const week = h.week ?? [];
  if (week.length === 0) return "No working hours: people are called at any time.";
  const free = h.holidays?.length ? `, but not on ${plural(h.holidays.length, "holiday", "holidays")}` : "";
  return `Normal and low ones call people ${windows(week)} (${h.zone || "no time zone"})${free}. Critical and high ones call at any time.`;
}

interface LeaseWords {
  remind_after_seconds: number;
  ask_after_seconds: number;
  take_back_after_seconds: number;
}

function leaseSentence(l: LeaseWords): string {
  const { remind_after_seconds: remind, ask_after_seconds: ask, take_back_after_seconds: back } = l;
  if (remind + ask + back === 0) return "A claim never ends by itself.";
  return `Whoever shows no activity is reminded after ${inFull(remind)}, asked ${inFull(ask)} later, and ${inFull(back)} after that it goes back into the queue.`;
}

const roles = { viewer: "Viewer", engineer: "Engineer", admin: "Admin", owner: "Owner" } as const;

/** The words of the settings' pages. */
export const settings = {
  title: "Settings",
  lead: "How Baton works for your account. Every change is written down in the audit log.",
  notForYou: (role: string, chiefs: string[]) =>
    `These settings are for admins and owners of your account; you are ${role === "viewer" ? "a viewer" : "an engineer"}. ${
      chiefs.length > 0 ? `Ask ${list(chiefs, "or")}.` : "Ask an admin."
    }`,
  notifications: "Notifications",
  channelsAre: (all: number, broken: number) =>
    all === 0
      ? "none of your own"
      : broken > 0
        ? `${broken} of ${all} ${broken === 1 ? "needs" : "need"} you`
        : `${all}, all well`,
  notConnected: "Not connected",
  pages: {
    psa: { title: "PSA", lead: "Which ticket system Baton tells of each handoff, and what it may do there." },
    channels: { title: "Channels", lead: "By what people and other programs are told of handoffs." },
    ladder: { title: "Ladder", lead: "Who is called when, while a handoff waits to be claimed." },
    briefings: { title: "Briefings", lead: "Whether a language model helps to write them, and what that may cost." },
    users: { title: "People", lead: "Who may sign in, what they may do, and which team they are in." },
    "api-keys": { title: "API keys", lead: "Keys by which scripts and other programs use Baton." },
    audit: { title: "Audit log", lead: "Who changed which setting, when, and what it was before." },
    me: {
      title: "My notifications",
      lead: "How you are told of handoffs. It is yours alone; it changes nothing for others.",
    },
  },
  cure: "What to do:",
  channelKinds: kinds as Record<Kind, string>,
  units: { 86400: "days", 3600: "hours", 60: "minutes", 1: "seconds" } as Record<number, string>,
  unitOf: (label: string) => `Unit of: ${label}`,
  inFull,
  zone: {
    label: "Time zone",
    hint: (here: string) => `Such as Europe/Berlin. Your browser is in ${here}.`,
  },

  form: {
    save: "Save",
    saving: "Saving …",
    same: "Everything is saved.",
    savedAt: (time: string) => `Saved at ${time}.`,
    unsaved: (n: number) => `${plural(n, "change is", "changes are")} not saved yet.`,
    notYet: "Not added yet.",
    meanwhile:
      "Somebody else changed these settings since you opened them. Undo your changes to see theirs, or save again to put yours in their place.",
    undo: "Undo changes",
    failed: "Not saved; what you entered is still here.",
    look: (n: number) => `${n === 1 ? "One field needs" : `${n} fields need`} another look.`,
    leave: "You have changes that are not saved. Leave without saving them?",
    signIn: "Sign in in another tab, then save again",
  },
  secret: {
    since: (iso: string) => `Set since ${dateOf(iso)}`,
    replace: "Replace",
    remove: "Remove",
    removed: "Removed when you save",
    keep: "Keep what is set",
    copy: "Copy",
    copied: "Copied",
  },

  psa: {
    which: "Your ticket system",
    save: "Save and test",
    test: "Test",
    testDraft: "Test without saving",
    testing: "Testing …",
    testingLong: "Asking the PSA. It takes up to 20 seconds, and writes nothing there.",
    testOk: "It works.",
    testFailed: "It does not work yet.",
    states: { unknown: "Not used yet", ok: "Works", broken: "Needs you" } as Record<string, string>,
    checkStates: { ok: "Works", warning: "Look at this", failed: "Does not work", skipped: "Not tried" } as Record<
      string,
      string
    >,
    checkChips: { ok: "done", warning: "retrying", failed: "failed", skipped: "" } as Record<string, string>,
    checks: (name: string) =>
      ({
        address: "Address",
        credentials: "Credentials",
        tickets: "Reading tickets",
        ticket: "The ticket",
        notes: "Writing notes",
        owner: "Owners",
        "status.escalated": "Status when handed off",
        "status.claimed": "Status when claimed",
        "status.released": "Status when put back",
        "status.resolved": "Status when resolved",
      })[name] ?? capital(name.replaceAll("_", " ").replaceAll(".", " ")),
    changedBy: (name: string) => `Changed by ${name}`,
    access: "Address and credentials",
    address: "Address",
    addressHints: {
      connectwise: "The site where you sign in, such as https://api-na.myconnectwise.net.",
      halopsa: "The site where you sign in, such as https://acme.halopsa.com.",
      autotask: "",
    } as Record<string, string>,
    again: "The address is another one: enter the credentials again, so that they go only where they were meant to.",
    optional: (title: string) => `${title} (optional)`,
    where: (help: string) => `${capital(help)}.`,
    tickets: "What happens to tickets",
    ticketsHint:
      "Each handoff adds a note to its ticket. Statuses are set only where you name one, as the PSA spells it.",
    status: {
      escalated: "Status when handed off",
      claimed: "When claimed",
      released: "When put back",
      resolved: "When resolved",
    },
    statusNone: "leave as it is",
    setOwner: "Who claims becomes the ticket's owner",
    setOwnerHint: "They are found in the PSA by their e-mail address.",
    cancelClosed: "Closing the ticket by hand takes the handoff back",
    cancelClosedHint: "Only while nobody has claimed it.",
    notes: "Who sees the notes",
    visibility: { internal: "Your own people alone", customer: "Customers as well" },
    customerWarning: "Customers will read the engineers' notes. Check that these are written for them.",
    special: (title: string) => `Special to ${title}`,
    apiVersion: "API version",
    apiVersionHint: "Such as 2025.16; leave it empty unless ConnectWise's support names one.",
    outcome: "Id of the action",
    outcomeHint: "The action that notes are made with; empty leaves it to the ticket's workflow.",
    noteType: "Note type",
    noteTypeHint: "The label of the notes' type; empty takes the first active one.",
    internalLabel: "Label of internal notes",
    customerLabel: "Label of visible notes",
    labelHint: "Only where the publish value was renamed.",
    ownerRole: "Id of the owner's role",
    ownerRoleHint: "Empty takes the engineer's default one.",
    ticket: "A ticket to look at in the test (optional)",
    ticketHint: "The test reads it, and changes nothing.",
    callback: "Changes made in the PSA",
    callbackLabel: "Callback address",
    callbackHint:
      "Register it in the PSA, and Baton hears of changes at once instead of within minutes. Keep it secret.",
    remove: "Disconnect",
    removeHint: "Tickets are told nothing any more; handoffs go on without them.",
    removeTitle: (title: string) => `Disconnect ${title}`,
    removeText:
      "The connection and its credentials are forgotten. Notes that wait to be written are not. You can connect again at any time, with the credentials at hand.",
    removed: "The PSA is disconnected.",
  },

  channels: {
    name: "Name",
    nameHint: "What people call it, such as the team's channel.",
    names: {
      email: "Our mail server",
      slack: "Slack",
      teams: "Service desk in Teams",
      webhook: "Dispatch board",
    } as Record<Kind, string>,
    kind: "Kind",
    reaches: "Reaches",
    state: "State",
    settings: "Settings",
    empty:
      "There is no channel of your own yet. People are told by mail, if the operator of Baton has set a mail server.",
    gone: "This channel does not exist any more.",
    add: "Add a channel",
    addTitle: (kind: string) => `Add: ${kind}`,
    addAction: "Add",
    added: "The channel is added. Try it.",
    kinds: {
      email: "Your own mail server, so that mail comes from your address.",
      slack: "Direct messages and a channel, with a button that claims.",
      teams: "A message in a Teams channel or chat, by a workflow there.",
      webhook: "A signed request to a program of yours, such as a wallboard.",
    } as Record<Kind, string>,
    reach: (kind: string, o: { to?: string; direct?: boolean; user_id?: string | null }) => {
      if (kind === "email") return o.to ? `each person, and ${o.to}` : "each person";
      if (kind === "slack") return list([o.direct ? "each person" : "", o.to ?? ""].filter(Boolean)) || "nobody yet";
      return o.user_id ? "one person" : "everybody who reads there";
    },
    states: { unknown: "Not used yet", ok: "Works", broken: "Needs you", disabled: "Switched off" } as Record<
      string,
      string
    >,
    lately: "What was sent in the last 30 days",
    latelyNone: "Nothing was sent.",
    counts: "Notifications",
    countsOf: (rows: { state: string; count: number }[]) =>
      rows.map((r) => `${r.count} ${t.effectStates[r.state] ?? r.state}`).join(", "),
    speed: "Half of them within",
    speedOf: (seconds: number | null) => (seconds === null ? "–" : seconds < 1 ? "1 s" : inFull(Math.round(seconds))),
    test: "Send a test message",
    testing: "Sending …",
    testOk: (kind: string, to: string) =>
      ({
        email: `The mail server took it. Look into the mailbox ${to || "of yours"}.`,
        slack: `Slack took it. Look at ${to || "your direct messages"}.`,
        teams: "Teams took it. Look into the channel.",
        webhook: "The receiver took it.",
      })[kind] ?? "It was taken.",
    testFailed: "The test message was not taken.",
    disabledHint: "Its receiver answered that it wants no more (410 Gone), so nothing is sent to it.",
    again: "Use it again",
    host: "Host",
    port: "Port",
    portUsual: "usual",
    security: "Protection",
    securities: {
      starttls: "STARTTLS (usual, port 587)",
      tls: "TLS from the start (port 465)",
      none: "None",
    },
    noSecurity: "Anybody on the way can read these mails, and no password is sent.",
    username: "User name",
    password: "Password",
    passwordHint: "If the server wants one. For another server or user it has to be entered again.",
    from: "Sender",
    fromHint: "The server has to allow it.",
    mailbox: "Mailbox of the team (optional)",
    mailboxHint: "Where it is told when the channel itself is called by a step of the ladder, and where tests go.",
    slackNeeds: (url: string) => [
      "Make an app at api.slack.com/apps with the bot scopes chat:write, im:write, users:read and users:read.email, and install it.",
      `Under Interactivity, set the request URL ${url}. It makes the button claim.`,
    ],
    token: "Bot token",
    tokenHint: "OAuth & Permissions; begins with xoxb-. It is tried at once.",
    signing: "Signing secret",
    signingHint: "Basic Information > App Credentials.",
    direct: "Tell people by direct messages",
    directHint: "They are found by their e-mail address.",
    conversation: "Channel (optional)",
    conversationHint: "Its id, at the end of its details in Slack. Invite the app there.",
    url: { teams: "Address of the workflow", webhook: "Address" },
    urlHint: {
      teams:
        "In Teams: Workflows > Post to a channel when a webhook request is received. Whoever knows it can post there.",
      webhook: "Has to begin with https://. Baton posts JSON there, signed as the Standard Webhooks have it.",
    },
    whom: "Whom it reaches",
    whomHint: "One person: it counts as theirs, as they chose. Everybody: steps of the ladder call it.",
    everybody: "Everybody who reads there",
    only: (name: string) => `${name} alone`,
    secretHint: "Baton makes the secret that signs, and shows it once, right after you add the channel.",
    secretOnce: "The secret that signs",
    secretOnceHint: "Copy it to the receiver now: it is not shown again.",
    rotation: "Secret that signs",
    rotationHint: "A new secret signs beside the old one until you end that, so that the receiver misses nothing.",
    rotating: "Two secrets sign at the moment. End the old one once the receiver knows the new one.",
    rotate: "Make a new secret",
    rotationEnd: "End the old secret",
    remove: "Remove",
    removeHint: "The channel and its credentials are forgotten. What waits to be sent over it fails.",
    removeTitle: (name: string) => `Remove ${name}`,
    removed: "The channel is removed.",
  },

  ladder: {
    keeps:
      "A change holds for what is handed off from now on. Handoffs that wait already keep the rules they began with.",
    holds: "What holds",
    holdsFor: "For the team",
    noTeam: "No team, or one without rules",
    windows,
    within: (seconds: number) => `should be claimed within ${inFull(seconds)}`,
    changed: (sections: string[]) => `yours: ${list(sections)}`,
    isDefault: "default",
    step: stepSentence,
    nobody: "Nobody is called: it waits until somebody looks into the queue.",
    end: (seconds: number) =>
      seconds === 0 ? "After that nobody is called again." : `The last call comes after ${inFull(seconds)}.`,
    working: "Only working hours count.",
    say: {
      claim_within_seconds: (p: { claim_within_seconds: number }) => `Within ${inFull(p.claim_within_seconds)}.`,
      hours: (p: { hours: HoursWords }) => hoursSentence(p.hours),
      lease: (p: { lease: LeaseWords }) => leaseSentence(p.lease),
      park: (p: { park: { tell_team: boolean; escalate_after_seconds: number } }) =>
        `Parked sessions: the team is ${p.park.tell_team ? "told" : "not told"}; ${
          p.park.escalate_after_seconds > 0
            ? `one that nobody resumes climbs the steps ${inFull(p.park.escalate_after_seconds)} after it was due.`
            : "nobody else is called."
        }`,
      reserve_seconds: (p: { reserve_seconds: number }) =>
        p.reserve_seconds > 0
          ? `When a question is answered, whoever asked has ${inFull(p.reserve_seconds)} before others are called.`
          : "When a question is answered, everybody is called at once.",
    },
    rules: "Your rules",
    noRules:
      "There are none: everything is as by default, which suits most teams. Add a rule for what shall be otherwise.",
    rulesHint: "The more particular rule has the last word: a priority's, then a team's, then a priority's in a team.",
    scope: (team: string | null, priority: string | null) => {
      const p = priority ? (t.priorities[priority] ?? priority) : "";
      return team ? (p ? `${p} in ${team}` : `Everything in ${team}`) : p || "Everything";
    },
    sections: {
      steps: "Who is called when",
      claim_within_seconds: "Should be claimed within",
      hours: "Working hours",
      lease: "When a claim ends",
      park: "Parked sessions",
      reserve_seconds: "Kept for whoever asked",
    },
    instead: "Without this:",
    byPriority: "Another one for each priority",
    emptyRule: "This rule changes nothing yet. Choose below what shall be otherwise.",
    overruled: (scopes: string[]) => `Not for these, which have rules of their own: ${scopes.join("; ")}.`,
    withinHint: "Reports count how many were.",
    reserveHint: "After a question to the sender is answered; 0 calls everybody at once.",
    tellTeam: "Tell the team when a session is parked",
    tellTeamHint: "Else it stands in the queue, quietly.",
    escalateAfter: "Nobody resumed it: call people after",
    escalateAfterHint: "Counted from when it was due; 0 is never.",
    addStep: "Add a step",
    stepTitle: (n: number) => `Step ${n}`,
    removeStep: (n: number) => `Remove step ${n}`,
    after: "After",
    afterHint: "Counted from when it began to wait; 0 is at once.",
    to: "Who is told",
    audience: (step: number, n: number) => `Step ${step}, who is told, ${n}`,
    who: "Who",
    whos: {
      target: "Whom it is for",
      team: "The whole team",
      admins: "The admins",
      sender: "Its sender",
      user: "A person …",
      endpoint: "A channel …",
    },
    whichUser: "Person",
    whichChannel: "Channel",
    aChannel: "a channel",
    over: "Only by:",
    overPreferred: "As each of them prefers, or only by:",
    missing: (kinds: string[]) => `${list(kinds)} is not set up: see Channels. Nobody is told by it.`,
    addAudience: "Add somebody",
    removeAudience: "Remove",
    repeat: "Repeat until somebody claims it or the next step begins",
    every: "Every",
    times: "Times",
    hoursHint: "They hold for normal and low priority. A night is two: until 24:00, and from 00:00.",
    window: (n: number) => `Hours ${n}`,
    days: "Days",
    dayNames,
    fromTime: "From",
    toTime: "To",
    addWindow: "Add hours",
    removeWindow: (n: number) => `Remove hours ${n}`,
    holidays: "Holidays",
    holidaysHint: "Days on which nobody is called.",
    holiday: "Day",
    addDay: "Add the day",
    removeDay: (day: string) => `Remove ${day}`,
    day: (iso: string) => dateOf(`${iso}T12:00:00`),
    leaseOn: "A claim without activity ends",
    remind: "Remind after",
    ask: "Then ask after",
    takeBack: "Then take back after",
    addRule: "Add a rule",
    addRuleFor: (scope: string) => `Add a rule for: ${scope}`,
    priority: "Priority",
    team: "Team",
    everyPriority: "Every priority",
    everyTeam: "Every team",
    twice: "There is one already.",
    removeRule: (scope: string) => `Remove the rule for: ${scope}`,
  },

  briefings: {
    model: (name: string) => `Baton's operator has set the model ${name}.`,
    noModel: "Baton's operator has set no model: briefings are written by rules alone, whatever you choose here.",
    spent: (spent: number, budget: number) =>
      `This month: ${spent.toFixed(2)} of ${budget.toFixed(2)} US dollars spent.`,
    spentLabel: "Spent this month",
    over: "The budget is spent: until the end of the month briefings are written by rules alone.",
    use: "A language model helps to write briefings",
    useHint: "It reads the sessions of your account, without passwords and keys. Its statements are marked as its own.",
    budget: "Budget in US dollars a month",
    budgetHint: (usual: number) =>
      `Empty is what the operator has set: ${usual.toFixed(2)}. Months begin and end in UTC.`,
  },

  me: {
    sentence: (d: {
      channels?: readonly string[];
      priorities?: Record<string, readonly string[] | undefined>;
      quiet?: { from: string; to: string };
      zone?: string;
    }) => {
      const by = (names: readonly string[]) => (names.length > 0 ? `by ${over(names)}` : "in Baton alone");
      const usual = d.channels ?? ["email"];
      const others = ["critical", "high", "normal", "low"].flatMap((p) => {
        const own = d.priorities?.[p];
        return own && over(own) !== over(usual) ? [`${(t.priorities[p] ?? p).toLowerCase()} ones ${by(own)}`] : [];
      });
      const quiet = d.quiet
        ? ` From ${d.quiet.from} to ${d.quiet.to} (${d.zone || "UTC"}) only critical ones come at once; the rest comes together afterwards.`
        : "";
      return `You are told ${by(usual)}${others.length > 0 ? `; ${list(others)}` : ""}.${quiet}`;
    },
    channels: "Tell me by",
    channelsHint: "All that you choose are used.",
    none: "You are told in Baton alone, while it is open.",
    means: {
      email: "to the address that you sign in with.",
      slack: "a direct message, if an admin has connected your workspace.",
      teams: "if an admin has set up a workflow that is yours alone.",
      webhook: "if an admin has set up one that is yours alone.",
    } as Record<Kind, string>,
    priorities: "By priority",
    prioritiesHint: "Choose other channels for some handoffs, such as Slack for critical ones alone.",
    otherwise: (priority: string) => `Otherwise for: ${priority}`,
    same: "as above",
    noneOf: (priority: string) => `${priority} ones: in Baton alone.`,
    quiet: "Quiet hours",
    quietHint:
      "Meanwhile only critical handoffs are told at once. The rest is held back, and told together when they end.",
    quietOn: "I have quiet hours, every day",
    from: "From",
    to: "To",
    zoneHint: "The zone of your quiet hours.",
  },

  people: {
    name: "Name",
    email: "E-mail address",
    emailHints: {
      person: "As your identity provider knows it. It cannot be changed later. Baton sends no invitation.",
      service: "Of whoever looks after it. It cannot be changed later.",
    } as Record<string, string>,
    kind: "Kind",
    kinds: { person: "A person", service: "An integration" } as Record<string, string>,
    kindHints: {
      person: "Signs in with your identity provider.",
      service: "A program, such as your RMM: it never signs in, gets no notifications, and acts by API keys.",
    } as Record<string, string>,
    role: "Role",
    roles,
    roleHints: {
      viewer: "May sign in, and sees nothing of the queue yet.",
      engineer: "Hands off, claims and resolves.",
      admin: "All that engineers may, for everybody's handoffs, and these settings.",
      owner: "All that admins may, and makes other owners.",
    } as Record<keyof typeof roles, string>,
    team: "Team",
    teamHint: "The ladder calls them with their team.",
    noTeam: "No team",
    state: "State",
    actions: "Actions",
    you: "you",
    service: "integration",
    byKeys: "by API keys",
    active: "Signs in",
    notYet: "Not signed in yet",
    disabled: "Disabled",
    empty: "There is nobody.",
    add: "Add somebody",
    addAction: "Add",
    added: "Added.",
    saved: "Saved.",
    change: "Change",
    changeTitle: (name: string) => `Change ${name}`,
    disable: "Disable",
    disableTitle: (name: string) => `Disable ${name}`,
    disableText:
      "They are let in no more, within a minute, and neither are their API keys. What they claimed stays theirs; an admin can put it back into the queue. You can enable them again.",
    disabledNow: (name: string) => `${name} is disabled.`,
    enable: "Enable",
    enableTitle: (name: string) => `Enable ${name}`,
    enableText: (role: string) => `They may sign in again, in the role ${role}, and their API keys work again.`,
    enabledNow: (name: string) => `${name} is enabled.`,
    teams: "Teams",
    teamsHint:
      "The ladder calls a team, and rules may differ between teams. Teams are not deleted, because what they worked on stays theirs.",
    noTeams: "There is no team yet.",
    members: "Members",
    membersOf: (n: number) => plural(n, "person", "people"),
    teamName: "Name of the team",
    rename: "Rename",
    renameTitle: (name: string) => `Rename ${name}`,
    addTeam: "Add a team",
  },

  keys: {
    name: "What it is for",
    nameHint: "You will know it by this when you have to revoke it.",
    nameExample: "RMM alerts",
    empty: "There is no key.",
    begins: "Begins with",
    as: "Acts as",
    asHint: "What it does is done in this name. For a program, better add an integration under People.",
    asRole: (name: string, role: string) => `${name}, at most ${roles[role as "admin"] ?? role}`,
    you: (name: string) => `${name} (you)`,
    role: "May do at most",
    used: "Last used",
    never: "never",
    ends: "Ends",
    endsHint: "It is refused from then on.",
    endsOn: (date: string, ended: boolean) => (ended ? `ended ${date}` : date),
    inDays: (n: number) => `in ${n} days`,
    foreverHint: "Whoever finds it can use it until somebody revokes it.",
    add: "Make a key",
    make: "Make the key",
    made: "The key is made. Copy it now.",
    once: (name: string) => `The key ${name}`,
    onceHint: "Copy it now: it is not shown again. Send it as “Authorization: Bearer …”.",
    revoke: "Revoke",
    revokeTitle: (name: string) => `Revoke ${name}`,
    revokeText: "What uses it is refused from now on, for good. The audit log still names it.",
    revoked: "The key is revoked.",
  },

  audit: {
    filter: "Filter the audit log",
    who: "Who",
    what: "What",
    when: "When",
    since: "From",
    until: "To",
    csv: "As CSV",
    none: "Nothing was changed yet.",
    noneFiltered: "Nothing fits these filters.",
    actions: {
      "account.create": "Account created",
      "user.create": "Person added",
      "user.set": "Person changed",
      "user.disable": "Person disabled",
      "user.enable": "Person enabled",
      "team.create": "Team added",
      "team.set": "Team renamed",
      "api_key.create": "API key made",
      "api_key.revoke": "API key revoked",
      "psa_connection.set": "PSA connection changed",
      "psa_connection.delete": "PSA disconnected",
      "channel.create": "Channel added",
      "channel.set": "Channel changed",
      "channel.delete": "Channel removed",
      "ladder.set": "Ladder changed",
      "briefing_settings.set": "Briefing settings changed",
    } as Record<string, string>,
    operator: "Operator of Baton",
    byKey: (name: string, key: string) => `${name}, by the key ${key}`,
    nothing: "nothing",
    yes: "yes",
    no: "no",
    secret: (field: string) => `${field}: changed (a secret, which is not told)`,
    fields: {
      claim_within_seconds: "should be claimed within",
      steps: "who is called when",
      "hours.zone": "time zone",
      "hours.week": "working hours",
      "hours.holidays": "holidays",
      "lease.remind_after_seconds": "claim: remind after",
      "lease.ask_after_seconds": "claim: then ask after",
      "lease.take_back_after_seconds": "claim: then take back after",
      "park.tell_team": "parked: tell the team",
      "park.escalate_after_seconds": "parked: call people after",
      reserve_seconds: "kept for whoever asked",
      monthly_budget_usd: "budget in US dollars a month",
      use_model: "a model helps to write briefings",
    } as Record<string, string>,
    more: (n: number) => `${n} more`,
  },
};
