using System.Text;

namespace Llama2.Evaluation;

/// <summary>The value of an attribute: a text, or a coordinate of a drawing.</summary>
internal readonly record struct MarkupValue(string Text)
{
    public static implicit operator MarkupValue(string text) => new(text);

    public static implicit operator MarkupValue(double coordinate) => new(ReportNumber.At(coordinate));
}

/// <summary>Writes HTML and SVG. Whatever is written as text or as an attribute's value is escaped, so none of it can become markup.</summary>
internal sealed class MarkupWriter
{
    private readonly StringBuilder _markup = new();
    private readonly Stack<string> _open = new();

    public override string ToString() => _markup.ToString();

    /// <summary>Writes markup of our own.</summary>
    public MarkupWriter Raw(string markup)
    {
        _markup.Append(markup);
        return this;
    }

    public MarkupWriter Begin(string tag, params ReadOnlySpan<(string Name, MarkupValue Value)> attributes)
    {
        Tag(tag, attributes);
        _open.Push(tag);
        return this;
    }

    public MarkupWriter End()
    {
        _markup.Append("</").Append(_open.Pop()).Append('>');
        return this;
    }

    /// <summary>An element with text in it, or with nothing.</summary>
    public MarkupWriter Element(string tag, string text, params ReadOnlySpan<(string Name, MarkupValue Value)> attributes)
    {
        Tag(tag, attributes);
        Escape(text);
        _markup.Append("</").Append(tag).Append('>');
        return this;
    }

    public MarkupWriter Text(string text)
    {
        Escape(text);
        return this;
    }

    private void Tag(string tag, ReadOnlySpan<(string Name, MarkupValue Value)> attributes)
    {
        _markup.Append('<').Append(tag);
        foreach ((string name, MarkupValue value) in attributes)
        {
            _markup.Append(' ').Append(name).Append("=\"");
            Escape(value.Text);
            _markup.Append('"');
        }

        _markup.Append('>');
    }

    private void Escape(string text)
    {
        foreach (Rune rune in text.EnumerateRunes())    // a lone surrogate comes as U+FFFD
        {
            switch (rune.Value)
            {
                case '&':
                    _markup.Append("&amp;");
                    break;
                case '<':
                    _markup.Append("&lt;");
                    break;
                case '>':
                    _markup.Append("&gt;");
                    break;
                case '"':
                    _markup.Append("&quot;");
                    break;
                case '\'':
                    _markup.Append("&#39;");
                    break;
                case '\r':
                    break;
                case '\n' or '\t':
                    _markup.Append((char)rune.Value);
                    break;
                case < 0x20 or (>= 0x7f and < 0xa0):    // HTML allows no control characters
                    _markup.Append('\ufffd');
                    break;
                default:
                    _markup.Append(rune);
                    break;
            }
        }
    }
}
