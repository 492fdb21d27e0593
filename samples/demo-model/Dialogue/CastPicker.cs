namespace Llama2.DemoModel;

/// <summary>Draws the people of a dialogue: four different names, some of them made up.</summary>
internal sealed class CastPicker(Lexicon lexicon)
{
    public const int Size = 4;
    private const double InventedShare = 0.08;

    /// <summary>Four people. In the test split the first two are a pair that the training split never puts together.</summary>
    public Speaker[] Draw(CorpusSplit split, RandomSource random)
    {
        while (true)
        {
            Speaker[] cast = [.. Enumerable.Range(0, Size).Select(_ => DrawOne(random))];
            string[] names = [.. cast.Select(speaker => speaker.Name)];
            if (names.Distinct().Count() == Size && HeldOut.Belongs(HeldOut.PairKey(names[0], names[1]), split)
                && (split == CorpusSplit.Test || AllPairs(names).All(pair => HeldOut.Belongs(pair, CorpusSplit.Train))))
            {
                return cast;
            }
        }
    }

    private Speaker DrawOne(RandomSource random)
    {
        if (random.Chance(InventedShare))
        {
            string invented = InventedWords.Name(random);
            return new(invented, new(invented, invented, "their", invented, invented, "is", "was", "has", true));
        }

        bool she = random.Chance(0.5);
        string name = new Expansion(lexicon, random).Draw(lexicon[she ? "female-name" : "male-name"]);
        return new(name, she ? Person.She(name) : Person.He(name));
    }

    private static IEnumerable<string> AllPairs(string[] names) =>
        from i in Enumerable.Range(0, names.Length)
        from j in Enumerable.Range(i + 1, names.Length - i - 1)
        select HeldOut.PairKey(names[i], names[j]);
}
