using System.Buffers;
using System.Text.Unicode;

namespace Llama2;

/// <summary>A text as the merges see it: a space in front, spaces as <c>▁</c>, what is no character as U+FFFD. Its buffer is rented.</summary>
internal readonly ref struct NormalizedText
{
    private readonly char[] _buffer;
    private readonly int _length;

    private NormalizedText(char[] buffer, int length) => (_buffer, _length) = (buffer, length);

    public ReadOnlySpan<char> Characters => _buffer.AsSpan(0, _length);

    public static NormalizedText From(ReadOnlySpan<char> text, bool addDummyPrefix)
    {
        char[] buffer = Rent(text.Length, addDummyPrefix, out int start);
        Span<char> characters = buffer.AsSpan(start, text.Length);
        text.Replace(characters, ' ', LlamaTokenizer.Space);
        ReplaceLoneSurrogates(characters);
        return new(buffer, start + text.Length);
    }

    public static NormalizedText FromUtf8(ReadOnlySpan<byte> utf8, bool addDummyPrefix)
    {
        char[] buffer = Rent(utf8.Length, addDummyPrefix, out int start);        // UTF-16 never has more units than UTF-8 has bytes
        int length = start;
        while (true)
        {
            OperationStatus status = Utf8.ToUtf16(utf8, buffer.AsSpan(length), out int read, out int written, replaceInvalidSequences: false);
            length += written;
            if (status == OperationStatus.Done)
            {
                break;
            }

            buffer[length++] = '\uFFFD';
            utf8 = utf8[(read + 1)..];                                           // one byte, where others skip a whole broken sequence
        }

        buffer.AsSpan(start..length).Replace(' ', LlamaTokenizer.Space);
        return new(buffer, length);
    }

    public void Dispose() => ArrayPool<char>.Shared.Return(_buffer);

    private static char[] Rent(int length, bool addDummyPrefix, out int start)
    {
        start = addDummyPrefix && length > 0 ? 1 : 0;
        char[] buffer = ArrayPool<char>.Shared.Rent(length + start);
        if (start > 0)
        {
            buffer[0] = LlamaTokenizer.Space;
        }

        return buffer;
    }

    private static void ReplaceLoneSurrogates(Span<char> characters)
    {
        int position = 0;
        while (characters[position..].IndexOfAnyInRange('\uD800', '\uDFFF') is >= 0 and int offset)
        {
            position += offset;
            if (position + 1 < characters.Length && char.IsSurrogatePair(characters[position], characters[position + 1]))
            {
                position += 2;
            }
            else
            {
                characters[position++] = '\uFFFD';
            }
        }
    }
}
