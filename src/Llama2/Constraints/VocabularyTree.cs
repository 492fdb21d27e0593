namespace Llama2;

/// <summary>The texts of a vocabulary as a prefix tree over bytes, in preorder, so that a walk leaves out whatever begins wrongly. Immutable.</summary>
/// <remarks>Holds the ids that add text: no control tokens, not the unknown id. Of ids with the same bytes the pieces come before the bytes.</remarks>
internal sealed class VocabularyTree
{
    private readonly byte[] _values;
    private readonly int[] _depths;                      // 0 for the first byte of a text
    private readonly int[] _ends;                        // one past the last node below
    private readonly int[] _firstIds;                    // [node + 1], into _ids
    private readonly int[] _ids;

    /// <param name="tokenizer">Says what each id adds to a text.</param>
    /// <param name="vocabularySize">Ids from here on are left out.</param>
    public VocabularyTree(LlamaTokenizer tokenizer, int vocabularySize)
    {
        _ids =
        [
            .. Enumerable.Range(0, Math.Min(vocabularySize, tokenizer.VocabularySize))
                .Where(id => tokenizer.GetKind(id) is not (TokenKind.Control or TokenKind.Unknown) && tokenizer.GetBytes(id).Length > 0),
        ];
        Array.Sort(_ids, (x, y) =>
        {
            int order = tokenizer.GetBytes(x).SequenceCompareTo(tokenizer.GetBytes(y));
            int kind = (tokenizer.GetKind(x) == TokenKind.Byte).CompareTo(tokenizer.GetKind(y) == TokenKind.Byte);
            return order != 0 ? order : kind != 0 ? kind : x.CompareTo(y);
        });

        var values = new List<byte>();
        var depths = new List<int>();
        var firstIds = new List<int>();
        var ends = new List<int>();
        var path = new Stack<int>();
        ReadOnlySpan<byte> before = [];
        for (int i = 0; i < _ids.Length; i++)
        {
            ReadOnlySpan<byte> bytes = tokenizer.GetBytes(_ids[i]);
            int common = bytes.CommonPrefixLength(before);
            Leave(common);
            foreach (byte value in bytes[common..])
            {
                depths.Add(path.Count);
                path.Push(values.Count);
                values.Add(value);
                ends.Add(0);
                firstIds.Add(i);
            }

            before = bytes;
        }

        Leave(0);
        firstIds.Add(_ids.Length);
        (_values, _depths, _ends, _firstIds) = ([.. values], [.. depths], [.. ends], [.. firstIds]);
        LongestText = depths.Count == 0 ? 0 : depths.Max() + 1;

        void Leave(int depth)
        {
            while (path.Count > depth)
            {
                ends[path.Pop()] = values.Count;
            }
        }
    }

    public int NodeCount => _values.Length;

    public int LongestText { get; }

    public byte Value(int node) => _values[node];

    public int Depth(int node) => _depths[node];

    /// <summary>One past the last node below.</summary>
    public int End(int node) => _ends[node];

    /// <summary>The ids whose text ends at a node.</summary>
    public ReadOnlySpan<int> Ids(int node) =>
        _ids.AsSpan(_firstIds[node].._firstIds[node + 1]);

    /// <summary>The node of a text of one byte; −1 where no text begins so.</summary>
    public int Find(byte value)
    {
        int node = 0;
        while (node < NodeCount && _values[node] != value)
        {
            node = _ends[node];
        }

        return node < NodeCount ? node : -1;
    }
}
