namespace Llama2.DemoModel;

/// <summary>The productions under one name, drawn by weight.</summary>
internal sealed class WordList
{
    private readonly int[] _upTo;   // [production] sum of the weights up to and with it

    public WordList(string name, IReadOnlyList<Production> productions)
    {
        if (productions.Count == 0)
        {
            throw new InvalidDataException($"The list '{name}' is empty.");
        }

        (Name, Productions) = (name, productions);
        _upTo = new int[productions.Count];
        int sum = 0;
        for (int i = 0; i < productions.Count; i++)
        {
            _upTo[i] = sum += productions[i].Weight;
        }
    }

    public string Name { get; }

    public IReadOnlyList<Production> Productions { get; }

    public Production Draw(RandomSource random)
    {
        int index = Array.BinarySearch(_upTo, random.Next(_upTo[^1]) + 1);
        return Productions[index < 0 ? ~index : index];
    }
}
