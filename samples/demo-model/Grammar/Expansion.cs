using System.Text;

namespace Llama2.DemoModel;

/// <summary>Expands productions of one row: it remembers slots, the person and the labels. Not thread-safe.</summary>
internal sealed class Expansion(Lexicon lexicon, RandomSource random)
{
    private const int MaxDepth = 24;
    private readonly Dictionary<string, string> _slots = [];
    private readonly Dictionary<string, HashSet<string>> _taken = [];
    private bool _personNamed;
    private int _depth;

    public RandomSource Random => random;

    public IReadOnlyDictionary<string, string> Slots => _slots;

    /// <summary>The lists that <c>{L.name}</c> means.</summary>
    public string Label { get; set; } = string.Empty;

    /// <summary>The lists that <c>{O.name}</c> means: a second label, for contrasts.</summary>
    public string OtherLabel { get; set; } = string.Empty;

    public Person Person { get; private set; } = Person.I;

    /// <summary>Gives <c>{list:slot~}</c> another text than the value that the slot keeps; <see langword="null"/> never does.</summary>
    /// <remarks>Called with the list, the slot and its final value; returns what the text shows.</remarks>
    public Func<WordList, string, string, string>? FirstMention { get; set; }

    public void SetPerson(Person person)
    {
        Person = person;
        _personNamed = false;
    }

    public void SetSlot(string slot, string value) => _slots[slot] = value;

    /// <summary>Expands one list, finished as a sentence.</summary>
    public string Sentence(string list) => TextFinisher.Finish(Draw(lexicon[list]));

    public string Sentence(GrammarNode[] nodes)
    {
        StringBuilder text = new();
        Append(nodes, text);
        return TextFinisher.Finish(text.ToString());
    }

    /// <summary>A raw value of a list that no slot of this row holds yet.</summary>
    public string DrawFresh(WordList list)
    {
        HashSet<string> taken = _taken.TryGetValue(list.Name, out HashSet<string>? known) ? known : _taken[list.Name] = [];
        string value = Draw(list);
        for (int attempt = 0; attempt < 50 && !taken.Add(value); attempt++)
        {
            value = Draw(list);
        }

        return value;
    }

    public string Draw(WordList list)
    {
        StringBuilder text = new();
        Append(list.Draw(random).Nodes, text);
        return text.ToString();
    }

    private void Append(GrammarNode[] nodes, StringBuilder text)
    {
        if (++_depth > MaxDepth)
        {
            throw new InvalidDataException($"Lists refer to each other more than {MaxDepth} levels deep.");
        }

        foreach (GrammarNode node in nodes)
        {
            switch (node)
            {
                case TextNode literal:
                    text.Append(literal.Text);
                    break;
                case ChoiceNode choice:
                    Append(random.Pick(choice.Options), text);
                    break;
                case ReferenceNode reference:
                    text.Append(Resolve(reference));
                    break;
            }
        }

        _depth--;
    }

    private string Resolve(ReferenceNode reference)
    {
        string value = Value(reference);
        return reference.Modifier switch
        {
            "a" => TextFinisher.ArticleMark + value,
            "on" => TimePhrases.On(value),
            "at" => TimePhrases.At(value),
            "cap" => TextFinisher.Capitalize(value),
            "poss" => $"{value}'s",
            "v" => IsBe(value) ? Person.Be + value[2..] : Person.ThirdSingular ? EnglishForms.ThirdPerson(value) : value,
            "s" => EnglishForms.ThirdPerson(value),
            "past" => IsBe(value) ? Person.Was + value[2..] : EnglishForms.Past(value),
            "ing" => EnglishForms.Progressive(value),
            _ => value,
        };
    }

    private string Value(ReferenceNode reference)
    {
        if (reference.Modifier.Length == 0 && Person.Word(reference.Name, ref _personNamed, random) is { } word)
        {
            return word;
        }

        if (reference.Slot is null && _slots.TryGetValue(reference.Name, out string? kept))
        {
            return kept;
        }

        if (FindList(reference.Name) is not { } list)
        {
            return reference.Modifier is "v" or "s" or "past" or "ing"
                ? reference.Name
                : throw new KeyNotFoundException($"There is no list or slot '{reference.Name}'.");
        }

        if (reference.Slot is null)
        {
            return Draw(list);
        }

        string value = _slots[reference.Slot] = DrawFresh(list);
        return reference.Changeable && FirstMention is not null ? FirstMention(list, reference.Slot, value) : value;
    }

    private static bool IsBe(string phrase) => phrase == "be" || phrase.StartsWith("be ", StringComparison.Ordinal);

    private WordList? FindList(string name)
    {
        string full = name.StartsWith("L.", StringComparison.Ordinal) ? Label + name[1..]
            : name.StartsWith("O.", StringComparison.Ordinal) ? OtherLabel + name[1..]
            : name;
        return lexicon.Lists.GetValueOrDefault(full);
    }
}
