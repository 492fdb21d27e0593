namespace Llama2.DemoModel;

/// <summary>A sentence with the emotion that it expresses.</summary>
/// <param name="Text">The sentence as a user would type it, noise included.</param>
/// <param name="Clean">The sentence before noise; it decides about the split.</param>
/// <param name="Label">One of <see cref="EmotionWriter.Labels"/>.</param>
internal sealed record EmotionSample(string Text, string Clean, string Label);

/// <summary>Writes sentences that express one of six emotions.</summary>
internal sealed class EmotionWriter(Lexicon lexicon)
{
    private const int MaxWords = 36;   // short comments, as people write them

    public static IReadOnlyList<string> Labels { get; } = ["sadness", "joy", "love", "anger", "fear", "surprise"];

    public EmotionSample Write(int label, CorpusSplit split, RandomSource random)
    {
        while (true)
        {
            string clean = Sentence(label, random);
            if (HeldOut.Belongs(HeldOut.SentenceKey(clean), split) && clean.Count(c => c == ' ') < MaxWords)
            {
                return new(TextNoise.Apply(clean, random), clean, Labels[label]);
            }
        }
    }

    private string Sentence(int label, RandomSource random)
    {
        Expansion expansion = new(lexicon, random)
        {
            Label = Labels[label],
            OtherLabel = Labels[(label + 1 + random.Next(Labels.Count - 1)) % Labels.Count],
        };
        expansion.SetPerson(DrawPerson(expansion, random));
        string core = expansion.Draw(lexicon["emotion-sentence"]).Trim();
        if (random.Chance(0.12))
        {
            core = $"{expansion.Draw(lexicon["lead-in"])} {LowerFirst(core)}";
        }

        if (random.Chance(0.14))
        {
            core = InsertBeforeEnd(core, expansion.Draw(lexicon["trail-off"]));
        }

        string text = TextFinisher.Finish(core);
        if (random.Chance(0.1))
        {
            text = $"{EndSentence(text)} {expansion.Sentence("neutral-sentence")}";
        }
        else if (random.Chance(0.06))
        {
            text = $"{expansion.Sentence("neutral-sentence")} {text}";
        }
        else if (random.Chance(0.06))
        {
            text = $"{EndSentence(text)} {expansion.Sentence(Labels[label] + ".short")}";
        }

        return random.Chance(0.04) ? $"{text} {expansion.Draw(lexicon[Labels[label] + ".emoji"])}" : text;
    }

    private Person DrawPerson(Expansion expansion, RandomSource random) => random.Next(100) switch
    {
        < 62 => Person.I,
        < 67 => Person.We,
        < 70 => Person.You,
        < 75 => Person.He(expansion.Draw(lexicon["he-kin"])),
        < 80 => Person.She(expansion.Draw(lexicon["she-kin"])),
        < 84 => Person.They(expansion.Draw(lexicon["they-kin"])),
        < 86 => Person.He(expansion.Draw(lexicon["male-name"])),
        < 88 => Person.She(expansion.Draw(lexicon["female-name"])),
        < 92 => random.Chance(0.5) ? Person.He("[NAME]") : Person.She("[NAME]"),
        < 95 => Person.He("he"),
        < 98 => Person.She("she"),
        _ => Person.They("they"),
    };

    private static string LowerFirst(string text) =>
        text.Length > 1 && char.IsLower(text[1]) && text[0] is not 'I' ? char.ToLowerInvariant(text[0]) + text[1..] : text;

    private static string EndSentence(string text) => text.Length > 0 && char.IsLetterOrDigit(text[^1]) ? text + "." : text;

    private static string InsertBeforeEnd(string text, string tail)
    {
        int end = text.Length;
        while (end > 0 && text[end - 1] is ('.' or '!' or '?'))
        {
            end--;
        }

        return end > 0 && char.IsLetter(text[end - 1]) ? $"{text[..end]}{(tail.StartsWith(',') ? "" : " ")}{tail}{text[end..]}" : text;
    }
}
