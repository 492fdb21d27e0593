using System.Buffers;
using System.Text;

namespace Llama2;

/// <summary>Decodes ids one at a time and never emits half a character. Not thread-safe; one per stream.</summary>
/// <remarks>What <see cref="Append(int)"/> and <see cref="Flush()"/> return, put together, is what <see cref="LlamaTokenizer.Decode"/> returns.</remarks>
public sealed class StreamingDecoder
{
    private readonly LlamaTokenizer _tokenizer;
    private readonly StringBuilder _text = new();
    private bool _dropSpace;                              // until the first text
    private uint _pending;                                // the bytes of an unfinished character, the first one lowest
    private int _pendingCount;                            // at most 3

    internal StreamingDecoder(LlamaTokenizer tokenizer, bool dropLeadingSpace) => (_tokenizer, _dropSpace) = (tokenizer, dropLeadingSpace);

    /// <summary>Takes the next id.</summary>
    /// <param name="id">An id of the tokenizer.</param>
    /// <returns>The text that is complete by now; empty while the bytes of a character are still coming.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The id is outside the vocabulary; the stream goes on as if it had not come.</exception>
    public string Append(int id)
    {
        if (!_dropSpace && _pendingCount == 0 && _tokenizer.GetKind(id) != TokenKind.Byte)
        {
            return _tokenizer.GetText(id);                // nearly every id: nothing to put together, nothing to allocate
        }

        Append(id, _text);
        return TakeText();
    }

    /// <summary>Ends the stream.</summary>
    /// <returns>What is left: U+FFFD for each byte of a character that never came whole.</returns>
    public string Flush()
    {
        Flush(_text);
        return TakeText();
    }

    internal void Append(int id, StringBuilder output)
    {
        if (_tokenizer.GetKind(id) == TokenKind.Byte)
        {
            _pending |= (uint)_tokenizer.GetBytes(id)[0] << (8 * _pendingCount++);
            DecodePending(output);
            return;
        }

        Flush(output);                                    // a character does not reach across a piece or a control token
        string text = _tokenizer.GetText(id);
        if (text.Length == 0)
        {
            return;
        }

        // The unknown token's text begins with a space of its own, which stays, as in sentencepiece.
        bool drop = _dropSpace && text[0] == ' ' && _tokenizer.GetKind(id) != TokenKind.Unknown;
        _dropSpace = false;
        output.Append(text, drop ? 1 : 0, drop ? text.Length - 1 : text.Length);
    }

    internal void Flush(StringBuilder output)
    {
        if (_pendingCount > 0)
        {
            output.Append('\uFFFD', _pendingCount);
            (_pending, _pendingCount, _dropSpace) = (0, 0, false);
        }
    }

    /// <summary>Emits what the pending bytes make certain: whole characters, and U+FFFD for a first byte that no continuation can save.</summary>
    private void DecodePending(StringBuilder output)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        Span<char> characters = stackalloc char[2];
        while (_pendingCount > 0)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes, _pending);
            OperationStatus status = Rune.DecodeFromUtf8(bytes[.._pendingCount], out Rune rune, out int consumed);
            if (status == OperationStatus.NeedMoreData)
            {
                return;
            }

            if (status == OperationStatus.InvalidData)
            {
                (rune, consumed) = (Rune.ReplacementChar, 1);
            }

            _pending = consumed == sizeof(uint) ? 0 : _pending >> (8 * consumed);
            _pendingCount -= consumed;
            _dropSpace = false;
            output.Append(characters[..rune.EncodeToUtf16(characters)]);
        }
    }

    private string TakeText()
    {
        string text = _text.ToString();
        _text.Clear();
        return text;
    }
}
