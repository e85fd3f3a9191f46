package briefing

// Rules writes a briefing from the session alone, without a model.
func Rules(in Input) Briefing { return Briefing{Version: Version} }
