namespace Llama2.DemoModel;

/// <summary>Who a sentence is about, with the forms that agree with it.</summary>
internal sealed record Person(
    string Subject, string Pronoun, string Possessive, string Object, string Reflexive, string Be, string Was, string Have, bool ThirdSingular)
{
    public static Person I { get; } = new("I", "I", "my", "me", "myself", "am", "was", "have", false);

    public static Person You { get; } = new("you", "you", "your", "you", "yourself", "are", "were", "have", false);

    public static Person We { get; } = new("we", "we", "our", "us", "ourselves", "are", "were", "have", false);

    public static Person They(string subject) => new(subject, "they", "their", "them", "themselves", "are", "were", "have", false);

    public static Person He(string subject) => new(subject, "he", "his", "him", "himself", "is", "was", "has", true);

    public static Person She(string subject) => new(subject, "she", "her", "her", "herself", "is", "was", "has", true);

    /// <summary>The value of a person word such as "my" or "I'm"; the subject itself is named once, then by its pronoun.</summary>
    /// <param name="word">The word in its form for the first person singular.</param>
    /// <param name="named">Whether the subject was named before; set when this call names it.</param>
    /// <param name="random">Decides between "I am" and "I'm".</param>
    public string? Word(string word, ref bool named, RandomSource random)
    {
        switch (word)
        {
            case "I":
                return Named(ref named);
            case "I'm":
                return Contract(Named(ref named), Be, Be[^1..] == "e" ? "re" : Be[^1..], random);
            case "I've":
                return Contract(Named(ref named), Have, Have == "has" ? "s" : "ve", random);
            default:
                return word switch
                {
                    "my" => Possessive,
                    "me" => Object,
                    "myself" => Reflexive,
                    "am" => Be,
                    "was" => Was,
                    "have" => Have,
                    "don't" => ThirdSingular ? "doesn't" : "don't",
                    "do" => ThirdSingular ? "does" : "do",
                    "wasn't" => Was + "n't",
                    _ => null,
                };
        }
    }

    private string Named(ref bool named)
    {
        string subject = named ? Pronoun : Subject;
        named = true;
        return subject;
    }

    private string Contract(string subject, string verb, string ending, RandomSource random) =>
        subject == Pronoun && random.Chance(0.75) ? $"{subject}'{ending}" : $"{subject} {verb}";
}
