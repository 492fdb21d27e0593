using System.Text;

namespace Llama2.DemoModel;

/// <summary>A phrase whose <c>&lt;my&gt;</c>, <c>&lt;me&gt;</c> and the like mean one person, however that person is called from where one stands.</summary>
/// <param name="Pattern">The words; <c>&lt;v:need&gt;</c> is a verb that agrees with the person, <c>&lt;our&gt;</c> is those who talk.</param>
/// <param name="Owner">Whom it means: a place in the cast.</param>
internal sealed record Phrase(string Pattern, int Owner);

/// <summary>A dialogue that is being written: who is there, what is settled, what was said, and the summary so far. Not thread-safe.</summary>
internal sealed class Conversation
{
    private static readonly string[] _places = [" at ", " in ", " to ", " from ", " on ", " into ", "visit "];
    private readonly Lexicon _lexicon;
    private readonly Speaker[] _cast;
    private readonly Expansion _expansion;
    private readonly Dictionary<string, Phrase> _phrases = [];
    private readonly List<(int Speaker, StringBuilder Text)> _turns = [];
    private readonly List<string> _sentences = [];
    private readonly bool[] _lowerCase, _noFullStop;
    private readonly List<Detail> _details = [];
    private readonly Dictionary<string, string> _values = [];
    private bool _isJoined;   // the last sentence is two already

    public Conversation(Lexicon lexicon, Speaker[] cast, RandomSource random)
    {
        (_lexicon, _cast, Random) = (lexicon, cast, random);
        _expansion = new(lexicon, random);
        _lowerCase = [.. cast.Select(_ => random.Chance(0.2))];
        _noFullStop = [.. cast.Select(_ => random.Chance(0.35))];
        _expansion.SetSlot("Z", cast[2].Name);
        Invent();
    }

    public RandomSource Random { get; }

    /// <summary>Gets the values that the summary depends on, wrong first mentions included.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    public int TurnCount => _turns.Count;

    /// <summary>Gets the last to speak, or −1.</summary>
    public int LastSpeaker => _turns.Count == 0 ? -1 : _turns[^1].Speaker;

    /// <summary>Gets the turns, one a line.</summary>
    public string Dialogue => string.Join('\n', _turns.Select(turn => $"{_cast[turn.Speaker].Name}: {turn.Text}"));

    public string Summary => TextFinisher.Finish(string.Join(' ', _sentences.Select(sentence => sentence + ".")));

    public bool Chance(double probability) => Random.Chance(probability);

    public string Name(int person) => _cast[person].Name;

    /// <summary>Draws a phrase and keeps it under a slot.</summary>
    public string Draw(string slot, string list, int owner = 0)
    {
        Invent();
        string pattern = TextFinisher.Trim(_expansion.DrawFresh(_lexicon[list]));
        _phrases[slot] = new(pattern, owner);
        return _values[slot] = pattern;
    }

    /// <summary>Whether the phrase of a slot has a word of a person, such as <c>&lt;me&gt;</c>.</summary>
    public bool Means(string slot, string word) => _phrases[slot].Pattern.Contains(word, StringComparison.Ordinal);

    private void Invent()
    {
        _expansion.SetSlot("New", InventedWords.Name(Random));
        _expansion.SetSlot("newish", InventedWords.Word(Random));
    }

    /// <summary>Lets another phrase stand under a slot.</summary>
    public void Copy(string from, string to) => _phrases[to] = _phrases[from];

    /// <summary>Draws when and where, perhaps; what is <paramref name="open"/> may be left for the others to ask or to change.</summary>
    public void DrawDetails(double day, double time, double place, bool open)
    {
        Add('d', "day", day);
        Add('t', "clock", time);
        Add('p', "meeting-place", NamesPlace("V") || NamesPlace("E") ? 0 : place);
        Detail? first = _details.Find(detail => detail.IsSaidFirst);
        if (first is not null && Chance(open ? 0.25 : 0.1))
        {
            first.Wrong = DrawOther(first);
            first.IsSlip = !open || Chance(0.35);
        }

        void Add(char kind, string list, double chance)
        {
            if (Chance(chance))
            {
                Draw(kind.ToString(), list);
                _details.Add(new(kind, list, _values[kind.ToString()]) { IsSaidFirst = !open || Chance(0.5) });
            }
        }
    }

    private bool NamesPlace(string slot) =>
        _phrases.TryGetValue(slot, out Phrase? phrase) && Array.Exists(_places, word => phrase.Pattern.Contains(word, StringComparison.Ordinal));

    /// <summary>One person says lines of the lists, as one turn; whoever has just spoken goes on.</summary>
    public void Say(int speaker, params string[] lists) => SayTo(speaker, speaker == 0 ? 1 : 0, lists);

    public void SayTo(int speaker, int listener, params string[] lists)
    {
        SetView(speaker, listener);
        StringBuilder raw = new();
        foreach (string list in lists)
        {
            string piece = TextFinisher.Trim(_expansion.Draw(_lexicon[list]));
            if (raw.Length > 0)
            {
                bool goesOn = char.IsLetterOrDigit(raw[^1]) && raw.Length < 16 && !piece.StartsWith("I ", StringComparison.Ordinal) && Chance(0.6);
                raw.Append(goesOn ? ", " : char.IsLetterOrDigit(raw[^1]) ? ". " : " ");
            }

            raw.Append(piece);
        }

        Append(speaker, raw.ToString());
    }

    /// <summary>A question and its answer about nothing that matters; the list's entries are pairs around <c>~</c>.</summary>
    public void SmallTalk(string list, int first, int second)
    {
        SetView(first, second);
        Invent();
        string[] pair = _expansion.Draw(_lexicon[list]).Split('~');
        Append(first, pair[0]);
        Append(second, pair[1]);
    }

    /// <summary>Says the lists, and at once corrects what was a slip of the tongue.</summary>
    public void Open(int speaker, params string[] lists)
    {
        Say(speaker, lists);
        if (_details.Find(detail => detail.IsSlip) is { } slip)
        {
            SetChange(slip, slip.Wrong!, slip.Value);
            slip.Wrong = null;
            slip.IsSlip = false;
            Say(speaker, "slip");
        }
    }

    /// <summary>The other one answers with the lists, and the two settle what is open: they ask, tell, propose and change.</summary>
    public void Settle(int other, int owner, params string[] answer)
    {
        Detail? wrong = _details.Find(detail => detail.Wrong is not null);
        Queue<Detail> open = new(_details.Where(detail => !detail.IsSaidFirst));
        if (wrong is not null)
        {
            SetChange(wrong, wrong.Wrong!, wrong.Value);
            if (Chance(0.75))
            {
                Say(other, Chance(0.4) ? [.. answer, "but-counter"] : ["counter"]);
                Say(owner, "agree");
            }
            else
            {
                Say(other, answer);
                Say(owner, "change");
                Say(other, "agree");
            }

            wrong.Wrong = null;
        }
        else if (open.Count == 0)
        {
            Say(other, answer);
            return;
        }
        else if (Chance(0.75))
        {
            if (open.Count > 1 && Chance(0.3))
            {
                AskTogether(other, owner, open.Dequeue(), open.Dequeue(), answer);
            }
            else
            {
                AskOne(other, owner, open.Dequeue(), answer);
            }
        }
        else
        {
            Say(other, answer);
        }

        foreach (Detail detail in open)
        {
            int speaker = LastSpeaker == owner ? other : owner;
            SetChange(detail, detail.Value, detail.Value);
            switch (Random.Next(3))
            {
                case 0:
                    AskOne(speaker, 1 - speaker, detail, []);
                    break;
                case 1:
                    Propose(speaker, 1 - speaker, detail);
                    break;
                default:
                    Say(speaker, $"tell-{detail.Kind}");
                    Say(1 - speaker, "agree");
                    break;
            }
        }
    }

    /// <summary>Adds "A and B will …" to the summary, with what was settled if <paramref name="details"/>.</summary>
    public void Will(int[] who, string slot, bool details = true)
    {
        string subject = Join(who), what = ForSummary(slot, who.Length == 1 ? who[0] : -1) + (details ? Settled() : "");
        Add($"{subject} will {what}");
    }

    public void Will(int who, string slot, bool details = true) => Will([who], slot, details);

    /// <summary>Adds a sentence of the list <paramref name="list"/>, whose slots are filled as the summary says them.</summary>
    public void Tell(string list, int doer = -1)
    {
        SetView(-1, -1, doer);
        _expansion.SetSlot("W", Settled());
        Add(TextFinisher.Trim(_expansion.Draw(_lexicon[list])));
    }

    /// <summary>Sets a slot that is the same from everywhere.</summary>
    public void Set(string slot, string value) => _expansion.SetSlot(slot, value);

    /// <summary>Adds a sentence; two in a row about what the same people will do become one.</summary>
    private void Add(string sentence)
    {
        const string Will = " will ";
        int subject = sentence.IndexOf(Will, StringComparison.Ordinal);
        if (subject > 0 && _sentences.Count > 0 && !_isJoined && !_sentences[^1].Contains(" because ", StringComparison.Ordinal)
            && _sentences[^1].StartsWith(sentence[..(subject + Will.Length)], StringComparison.Ordinal))
        {
            _sentences[^1] += $" and {sentence[(subject + Will.Length)..]}";
            _isJoined = true;
            return;
        }

        _sentences.Add(sentence);
        _isJoined = false;
    }

    private string Join(int[] who) =>
        who.Length == 1 ? Name(who[0]) : $"{string.Join(", ", who[..^1].Select(Name))} and {Name(who[^1])}";

    /// <summary>Place, day and time, in this order.</summary>
    private string Settled() => string.Concat(_details.OrderBy(detail => "pdt".IndexOf(detail.Kind, StringComparison.Ordinal)).Select(detail => $" {detail.With(detail.Value)}"));

    private void AskOne(int speaker, int other, Detail detail, string[] before)
    {
        Say(speaker, [.. before, $"ask-{detail.Kind}"]);
        if (Chance(0.2))
        {
            string wrong = DrawOther(detail);
            SetChange(detail, wrong, wrong);
            Say(other, "tell");
            SetChange(detail, wrong, detail.Value);
            Say(speaker, "counter");
            Say(other, "agree");
            return;
        }

        SetChange(detail, detail.Value, detail.Value);
        Say(other, "tell");
    }

    private void AskTogether(int speaker, int other, Detail first, Detail second, string[] before)
    {
        Say(speaker, [.. before, $"ask-{first.Kind}{second.Kind}"]);
        SetView(other, speaker);
        Set("W", $"{first.With(first.Value)} {second.With(second.Value)}");
        Set("one", first.Value);
        Set("two", second.With(second.Value));
        Append(other, _expansion.Draw(_lexicon["tell-both"]));
    }

    private void Propose(int speaker, int other, Detail detail)
    {
        bool counter = Chance(0.35);
        string value = counter ? DrawOther(detail) : detail.Value;
        SetChange(detail, value, value);
        Say(speaker, "propose");
        SetChange(detail, value, detail.Value);
        Say(other, counter ? "counter" : "agree");
        if (counter)
        {
            Say(speaker, "agree");
        }
    }

    /// <summary>Another value of the kind that does not read like the right one.</summary>
    private string DrawOther(Detail detail)
    {
        while (true)
        {
            string other = Draw($"not-{detail.Kind}", detail.List);
            if (!other.Contains(detail.Value, StringComparison.OrdinalIgnoreCase) && !detail.Value.Contains(other, StringComparison.OrdinalIgnoreCase))
            {
                return other;
            }
        }
    }

    private void SetChange(Detail detail, string old, string right)
    {
        Set("old", old);
        Set("at-old", detail.With(old));
        Set("new", right);
        Set("at-new", detail.With(right));
    }

    private void SetView(int speaker, int listener, int doer = -1)
    {
        foreach ((string slot, Phrase phrase) in _phrases)
        {
            Set(slot, speaker < 0 ? ForSummary(slot, doer) : Render(phrase.Pattern, PersonOf(phrase.Owner, speaker, listener, slot is "N" or "T"), "our"));
        }

        Set("A", Name(0));
        Set("B", Name(1));
        if (speaker < 0)
        {
            return;
        }

        Set("X", Name(speaker));
        Set("Y", Name(listener));
        Detail[] first = [.. _details.Where(detail => detail.IsSaidFirst)];
        Random.Shuffle(first.AsSpan());
        Set("W", string.Concat(first.Select(detail => $" {detail.With(detail.Wrong ?? detail.Value)}")));
    }

    private Person PersonOf(int owner, int speaker, int listener, bool isSubject) =>
        owner == speaker ? Person.I : owner == listener ? Person.You : isSubject ? Pronouns(owner) : Named(owner);

    /// <summary>The forms for somebody whom the sentence has just named.</summary>
    private Person Pronouns(int owner) => _cast[owner].Third with { Subject = _cast[owner].Third.Pronoun };

    private Person Named(int owner)
    {
        string name = Name(owner);
        return _cast[owner].Third with { Pronoun = name, Possessive = $"{name}'s", Object = name };
    }

    private string ForSummary(string slot, int doer)
    {
        Phrase phrase = _phrases[slot];
        return Render(phrase.Pattern, phrase.Owner == doer ? Pronouns(doer) : Named(phrase.Owner), "their");
    }

    private static string Render(string pattern, Person person, string our)
    {
        if (!pattern.Contains('<', StringComparison.Ordinal))
        {
            return pattern;
        }

        StringBuilder text = new();
        int at = 0;
        while (pattern.IndexOf('<', at) is var open and >= 0)
        {
            int close = pattern.IndexOf('>', open);
            text.Append(pattern, at, open - at).Append(Word(pattern[(open + 1)..close], person, our));
            at = close + 1;
        }

        return text.Append(pattern, at, pattern.Length - at).ToString();
    }

    private static string Word(string word, Person person, string our) => word switch
    {
        "I" => person.Subject,
        "my" => person.Possessive,
        "me" => person.Object,
        "am" => person.Be,
        "was" => person.Was,
        "have" => person.Have,
        "don't" => person.ThirdSingular ? "doesn't" : "don't",
        "our" => our,
        "a" => person.Subject is "I" or "you" ? "a" : person.Possessive,
        _ when word.StartsWith("v:", StringComparison.Ordinal) => person.ThirdSingular ? EnglishForms.ThirdPerson(word[2..]) : word[2..],
        _ => throw new InvalidDataException($"'<{word}>' is no word of a person."),
    };

    private void Append(int speaker, string raw)
    {
        raw = TextFinisher.Trim(raw);
        raw = Chance(0.85) ? raw.Replace("I am ", "I'm ", StringComparison.Ordinal) : raw;
        if (char.IsLetterOrDigit(raw[^1]) && !(_noFullStop[speaker] && Chance(0.8)))
        {
            raw += ".";
        }

        string text = TextFinisher.Finish(raw, capitalize: !_lowerCase[speaker]);
        if (_turns.Count > 0 && _turns[^1].Speaker == speaker && Chance(0.8))
        {
            StringBuilder turn = _turns[^1].Text;
            turn.Append(char.IsLetterOrDigit(turn[^1]) ? ". " : " ").Append(text);
            return;
        }

        _turns.Add((speaker, new(text)));
    }

    /// <summary>A day (d), a time (t) or a place (p).</summary>
    private sealed class Detail(char kind, string list, string value)
    {
        public char Kind => kind;

        public string List => list;

        public string Value => value;

        /// <summary>What is said first instead of the value.</summary>
        public string? Wrong { get; set; }

        /// <summary>Whether whoever says the wrong value notices.</summary>
        public bool IsSlip { get; set; }

        /// <summary>Whether the first turn says it.</summary>
        public bool IsSaidFirst { get; init; }

        /// <summary>A value with its preposition.</summary>
        public string With(string other) => kind == 'd' ? TimePhrases.On(other) : TimePhrases.At(other);
    }
}
