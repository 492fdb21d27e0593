namespace Llama2;

/// <summary>Guesses the next tokens of a sequence: what followed the last time its latest tokens stood in it, in the prompt or in the text so far.</summary>
/// <remarks>
/// Prompt lookup (Saxena 2023). A guess costs nothing but its place in a forward pass, which checks all of it at once; whoever asked for it then
/// draws every token as without it and goes on as long as the guess agrees. Guesses grow while they are right and pause while they are wrong.
/// One per sequence; adding a token and guessing take constant time and allocate nothing.
/// </remarks>
internal sealed class PromptLookup
{
    /// <summary>A guess that fills a tile of the kernels together with the token before it.</summary>
    public const int ShortGuess = 5;

    /// <summary>The longest guess, for a text that is being copied.</summary>
    public const int LongGuess = 11;

    private const int MostPause = 32;
    private const int LongGram = 3;
    private const int ShortGram = 2;

    // Where the token behind the latest such run of tokens stands, by a hash of the run. A later run takes the place of another with its hash.
    private readonly int[] _afterLong;
    private readonly int[] _afterShort;
    private int _read;                                           // tokens that the tables know
    private int _guess = ShortGuess;
    private int _pause;
    private int _wait;

    /// <param name="tokens">The most tokens that the sequence may have.</param>
    public PromptLookup(int tokens)
    {
        int size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(2 * (long)tokens, 64, 1 << 17));
        (_afterLong, _afterShort) = (new int[size], new int[size]);
    }

    /// <summary>Tokens guessed so far.</summary>
    public int Drafted { get; private set; }

    /// <summary>Tokens of them that were right.</summary>
    public int Accepted { get; private set; }

    /// <summary>Guesses what comes after the tokens.</summary>
    /// <param name="tokens">The sequence so far, of which only the end has changed since the last call.</param>
    /// <param name="most">The most tokens to guess.</param>
    /// <returns>A part of <paramref name="tokens"/>; empty without a guess.</returns>
    public ReadOnlySpan<int> Guess(ReadOnlySpan<int> tokens, int most)
    {
        Read(tokens);
        if (_wait > 0)
        {
            _wait--;
            return [];
        }

        int after = Find(_afterLong, tokens, LongGram);
        after = after > 0 ? after : Find(_afterShort, tokens, ShortGram);
        return after > 0 ? tokens.Slice(after, Math.Min(Math.Min(_guess, most), tokens.Length - after)) : [];
    }

    /// <summary>Says how many tokens of a guess were right.</summary>
    public void Learn(int drafted, int accepted)
    {
        Drafted += drafted;
        Accepted += accepted;
        if (accepted == 0)
        {
            _pause = Math.Min(MostPause, 2 * _pause + 1);
            _wait = _pause;
        }
        else
        {
            _pause = 0;
        }

        _guess = accepted == drafted ? LongGuess : ShortGuess;
    }

    // Slot 0 of a position means none: no run ends before the first token.
    private void Read(ReadOnlySpan<int> tokens)
    {
        for (; _read < tokens.Length; _read++)
        {
            if (_read >= LongGram)
            {
                _afterLong[Slot(tokens[(_read - LongGram).._read])] = _read;
            }

            if (_read >= ShortGram)
            {
                _afterShort[Slot(tokens[(_read - ShortGram).._read])] = _read;
            }
        }
    }

    private int Find(int[] after, ReadOnlySpan<int> tokens, int length)
    {
        if (tokens.Length < length)
        {
            return 0;
        }

        ReadOnlySpan<int> run = tokens[^length..];
        int position = after[Slot(run)];
        return position > 0 && tokens[(position - length)..position].SequenceEqual(run) ? position : 0;
    }

    private int Slot(ReadOnlySpan<int> run)
    {
        uint hash = 0;
        foreach (int token in run)
        {
            hash = (hash ^ (uint)token) * 0x9E3779B1;
        }

        return (int)((hash ^ hash >> 15) & (uint)(_afterLong.Length - 1));
    }
}
