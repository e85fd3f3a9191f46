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
  sorts: { priority: "Most urgent", oldest: "Oldest", newest: "Newest" },
  intents: { park: "Parked", escalate: "Escalated" } as Record<string, string>,
  priorities: { critical: "Critical", high: "High", normal: "Normal", low: "Low" } as Record<string, string>,
  statuses: { queued: "Waiting", claimed: "Claimed", resolved: "Resolved", cancelled: "Cancelled" } as Record<
    string,
    string
  >,
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
  },

  claim: {
    do: "Claim",
    busy: "Claiming …",
    won: "It is yours.",
    lost: (name: string, age: string) => `Already claimed by ${name}, ${age}`,
    gone: "It was closed meanwhile.",
    watch: "Watch",
    dismiss: "Dismiss",
    unknown:
      "Whether it is yours is not known yet, because the service did not answer. Claim again: it cannot count twice.",
  },

  live: {
    arrived: (priority: string, title: string, client: string) => `New in the queue, ${priority}: ${title}, ${client}`,
    arrivedMany: (n: number) => `${n} new handoffs in the queue`,
    claimed: (name: string, title: string) => `${name} claimed ${title}`,
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
    notifications: "Notifications",
    unknownStatus: (s: string) => s,
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
  } as Record<string, string>,
  system: "Baton",

  actions: {
    label: "Actions",
    release: "Put back",
    reassign: "Reassign",
    resolve: "Resolve",
    cancel: "Take back",
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
    told: (n: number) => `${plural(n, "notification was", "notifications were")} sent.`,
    telling: (n: number) => `${plural(n, "notification is", "notifications are")} on the way.`,
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
