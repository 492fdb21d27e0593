using System.Text;

namespace Llama2;

/// <summary>Collects the ids of a prompt: control tokens enter as ids, text as text, so no text can forge a control token.</summary>
/// <remarks>Not thread-safe; one per prompt.</remarks>
public sealed class ChatPromptWriter
{
    private readonly List<int> _ids = [];
    private readonly List<int?> _owners = [];                          // the message of each id; null before the first one
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _segment = new();                   // text since the last control token
    private readonly List<(int Start, int Message)> _marks = [];       // where in the segment messages begin, in UTF-8 bytes
    private int _segmentBytes;
    private int? _message;

    /// <summary>Initializes a new instance of the <see cref="ChatPromptWriter"/> class.</summary>
    /// <param name="tokenizer">The tokenizer of the model.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> is <see langword="null"/>.</exception>
    public ChatPromptWriter(LlamaTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Tokenizer = tokenizer;
    }

    /// <summary>Gets the tokenizer of the model.</summary>
    public LlamaTokenizer Tokenizer { get; }

    /// <summary>Says that what follows belongs to the message with this index, for <see cref="ChatPrompt.Spans"/>; it does not split the text.</summary>
    /// <param name="index">The index in the list of messages.</param>
    public void BeginMessage(int index) => _marks.Add((_segmentBytes, index));

    /// <summary>Writes a control token.</summary>
    /// <param name="id">Its id, below <see cref="LlamaTokenizer.VocabularySize"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tokenizer has no such id.</exception>
    public void Id(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, Tokenizer.VocabularySize);
        EndSegment();
        Add(id);
        _text.Append(Tokenizer.GetPiece(id));
    }

    /// <summary>Writes text. All text between two control tokens is encoded as one segment, which gets a dummy prefix, as in Meta's own code.</summary>
    /// <param name="text">Plain text; control tokens in it are plain text too.</param>
    public void Text(string text)
    {
        _segment.Append(text);
        _segmentBytes += Encoding.UTF8.GetByteCount(text);
    }

    /// <summary>Ends the prompt.</summary>
    public ChatPrompt ToPrompt()
    {
        EndSegment();
        var spans = new List<ChatMessageSpan>();
        for (int start = 0, end; start < _ids.Count; start = end)
        {
            end = start + 1;
            while (end < _ids.Count && _owners[end] == _owners[start])
            {
                end++;
            }

            if (_owners[start] is int message)
            {
                spans.Add(new(message, start, end - start));
            }
        }

        return new(_text.ToString(), _ids.ToArray(), spans);
    }

    private void Add(int id)
    {
        _ids.Add(id);
        _owners.Add(_message);
    }

    private void EndSegment()
    {
        string segment = _segment.ToString();
        int offset = Tokenizer.AddDummyPrefix ? -1 : 0;                // in UTF-8 bytes of the segment; the dummy prefix stands before it
        int mark = 0;
        foreach (int id in Tokenizer.Encode(segment))
        {
            for (; mark < _marks.Count && _marks[mark].Start <= Math.Max(offset, 0); mark++)
            {
                _message = _marks[mark].Message;
            }

            Add(id);
            offset += Tokenizer.GetBytes(id).Length;
        }

        if (_marks.Count > 0)
        {
            _message = _marks[^1].Message;
        }

        _text.Append(segment);
        _segment.Clear();
        _segmentBytes = 0;
        _marks.Clear();
    }
}
