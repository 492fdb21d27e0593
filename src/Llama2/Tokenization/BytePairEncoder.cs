using System.Globalization;
using System.Text;

namespace Llama2;

/// <summary>What a vocabulary knows about merging: which texts are pieces, which merge goes first, what stands for a character without one.</summary>
internal sealed class BytePairEncoder
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;      // pieces that a text can become
    private readonly uint[] _orders;                                                        // by id; the best score has the lowest
    private readonly bool[]? _unused;                                                       // by id; null where no piece is
    private readonly int[]? _byteIds;                                                       // by byte; null without byte fallback
    private readonly PrefixTree? _userDefined;
    private readonly int _longest;                                                          // piece, in UTF-16 units
    private readonly int _unknownId;

    /// <exception cref="CheckpointException">A piece occurs twice or is empty, a score is no number, or the bytes are not whole.</exception>
    public BytePairEncoder(IReadOnlyList<VocabularyEntry> vocabulary, int unknownId, string file)
    {
        var ids = new Dictionary<string, int>(vocabulary.Count, StringComparer.Ordinal);
        var reserved = new HashSet<string>(StringComparer.Ordinal);                         // may repeat an ordinary piece, as in sentencepiece
        int[] byteIds = [.. Enumerable.Repeat(-1, 256)];
        int bytes = 0;
        _orders = new uint[vocabulary.Count];
        for (int id = 0; id < vocabulary.Count; id++)
        {
            (string piece, float score, TokenKind kind) = vocabulary[id];
            Require(piece.Length > 0, id, "an empty piece", "a text");
            Require(!float.IsNaN(score), id, "score NaN", "a number");
            bool isText = kind is TokenKind.Normal or TokenKind.UserDefined or TokenKind.Unused;
            Require(isText ? ids.TryAdd(piece, id) : reserved.Add(piece), id, $"'{piece}' a second time", "every piece once");
            _orders[id] = Order(score);
            switch (kind)
            {
                case TokenKind.Byte:
                    Require(VocabularyEntry.TryParseByte(piece, out byte value), id, $"'{piece}'", "a byte such as <0x0A>");
                    Require(byteIds[value] < 0, id, $"'{piece}'", "every byte once");
                    byteIds[value] = id;
                    bytes++;
                    break;
                case TokenKind.UserDefined:
                    (_userDefined ??= new()).Add(piece, id);
                    break;
                case TokenKind.Unused:
                    (_unused ??= new bool[vocabulary.Count])[id] = true;
                    break;
            }

            _longest = isText ? Math.Max(_longest, piece.Length) : _longest;
        }

        if (bytes is not (0 or 256))
        {
            throw new CheckpointException(file, "byte pieces", $"{bytes}", "none or all 256");
        }

        _ids = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _byteIds = bytes == 0 ? null : byteIds;
        _unknownId = unknownId;

        void Require(bool holds, int id, string found, string expected)
        {
            if (!holds)
            {
                throw new CheckpointException(file, string.Create(CultureInfo.InvariantCulture, $"piece {id}"), found, expected);
            }
        }
    }

    /// <summary>Encodes a normalized text.</summary>
    public int[] Encode(ReadOnlySpan<char> text)
    {
        using var merge = new BytePairMerge(this, text);
        merge.Run();
        int[] ids = new int[merge.Write([])];
        merge.Write(ids);
        return ids;
    }

    /// <summary>Counts the ids of a normalized text.</summary>
    public int Count(ReadOnlySpan<char> text)
    {
        using var merge = new BytePairMerge(this, text);
        merge.Run();
        return merge.Write([]);
    }

    /// <summary>The id of a text that is a piece, or −1.</summary>
    public int Find(ReadOnlySpan<char> text) => text.Length <= _longest && _ids.TryGetValue(text, out int id) ? id : -1;

    /// <summary>The longest user-defined piece that the text begins with.</summary>
    public bool TryMatchUserDefined(ReadOnlySpan<char> text, out int id, out int length)
    {
        (id, length) = (-1, 0);
        return _userDefined is not null && _userDefined.TryMatch(text, out id, out length);
    }

    /// <summary>Where the merge into a piece stands among all merges; the lowest goes first.</summary>
    public uint OrderOf(int id) => _orders[id];

    public bool IsUnused(int id) => _unused is not null && _unused[id];

    /// <summary>Writes what stands for a character that is no piece.</summary>
    /// <param name="character">One character, or both halves of a surrogate pair.</param>
    /// <param name="output">Takes the ids.</param>
    public void WriteUnknown(ReadOnlySpan<char> character, ref IdWriter output)
    {
        if (_byteIds is null)
        {
            output.AddUnknown(_unknownId);
            return;
        }

        Span<byte> utf8 = stackalloc byte[4];
        foreach (byte value in utf8[..Encoding.UTF8.GetBytes(character, utf8)])
        {
            output.Add(_byteIds[value]);
        }
    }

    /// <summary>Maps scores to numbers of the opposite order: the bits of a float, negative ones reversed, then all reversed.</summary>
    private static uint Order(float score)
    {
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);                            // −0 becomes 0, which it equals
        return (bits & 0x80000000) != 0 ? bits : ~(bits | 0x80000000);
    }
}
